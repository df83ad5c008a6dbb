"""Generated sound judged: what a classifier tells of it, how it is distributed, whether it is copied."""
