"""Sound files and signals: reading, writing, mu-law codes, spectra and features."""
