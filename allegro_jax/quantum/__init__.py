"""Quantum circuits as layers: PennyLane QNodes, and the same functions at classical speed."""
