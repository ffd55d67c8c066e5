"""Settings of the programs; each docstring gives the command and its cost."""
