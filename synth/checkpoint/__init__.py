"""Checkpoint files: their bytes, and the names of those that come with synth."""
