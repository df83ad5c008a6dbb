"""The commands `generate-audio` and `synth`: one module a command, `entry` starts them."""

from synth.cli.entry import generate_audio_main, main

__all__ = ["generate_audio_main", "main"]
