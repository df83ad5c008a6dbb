"""Classifiers without torch."""
