"""Generated sound judged: what is heard in it, how it is distributed, whether it is copied."""
