"""Mode parametric: tokens of a voice in place of samples."""
