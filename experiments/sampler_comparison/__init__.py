"""Samplers on the real search problem: runs from shared initial trials, tables, the picture."""
