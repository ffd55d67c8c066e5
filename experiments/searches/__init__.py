"""What a search is made of: its studies, trials, records, workers, and the report of its front."""
