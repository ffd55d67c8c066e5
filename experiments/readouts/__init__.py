"""Readouts side by side: what is compared, the runs, the statistics, tables and pictures."""
