"""Trainings of this library and of nequip-allegro beside each other, for equal minutes."""
