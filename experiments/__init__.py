"""Programs that join allegro_jax and samo_cobra: train, evaluate, search."""

import logging

# Which accelerators a machine does not have is no news to who starts a program.
logging.getLogger("jax").setLevel(logging.WARNING)
