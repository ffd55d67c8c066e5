"""Potentials with and without ZBL where atoms come closer than in any training structure."""
