"""Programs that join allegro_jax and samo_cobra: train, evaluate, search."""
