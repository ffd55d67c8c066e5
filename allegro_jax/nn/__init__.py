"""Building blocks of the models: radial bases, perceptrons, tensor products."""
