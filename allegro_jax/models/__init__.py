"""Models: the Allegro architecture, its readouts, and what is computed from it."""
