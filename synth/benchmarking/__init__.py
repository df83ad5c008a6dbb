"""What `synth bench` measures."""
