"""The parts of experiments/circuit_report.py: what is measured, drawn and written."""
