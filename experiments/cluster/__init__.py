"""Ways to start workers of a search on many machines."""
