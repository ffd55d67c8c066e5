"""Quantum circuits as layers: PennyLane QNodes, and the same functions at classical speed."""

from allegro_jax.quantum.registry import UserCircuit, register_circuit, registered_circuit

__all__ = ["UserCircuit", "register_circuit", "registered_circuit"]
