"""What `experiments.benchmark` is made of: cases, runners of ours and of the peers, analysis."""
