"""What a potential says about a crystal: equation of state, elastic constants, phonons."""
