"""Models and streams, and what generate-audio, vocode, morph and score do with them."""
