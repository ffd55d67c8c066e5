"""Parts of `experiments.benchmark_optimisers`: problems, methods, runs, tables and pictures."""
