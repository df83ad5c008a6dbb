"""The stages of parametric_quality.py: test files, coders, alignment in time, metrics, the page."""
