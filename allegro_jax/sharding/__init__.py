"""One computation on several devices: large structures, and data-parallel training."""
