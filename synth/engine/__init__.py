"""Engines."""
from synth.engine.predictor import predict_codes as predict_codes
