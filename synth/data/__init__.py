"""Training corpora on the disk: files, labels, splits."""
