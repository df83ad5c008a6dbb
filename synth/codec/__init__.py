"""The .syn file: sound files and arrays to fewer bytes and back."""
