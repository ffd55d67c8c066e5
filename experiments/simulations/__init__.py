"""Simulations as programs: what is simulated, by which engine, and the pages of the results."""
