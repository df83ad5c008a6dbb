"""WAV, AIFF and FLAC to the byte, as the codec needs them."""
