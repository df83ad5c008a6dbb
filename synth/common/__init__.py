"""The ground floor: errors, files, labels, limits, threads. Imports nothing else of synth."""
