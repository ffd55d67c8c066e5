"""Allegro potentials inside of simulation packages."""
