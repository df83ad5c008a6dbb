"""A voice's stream along a recording, to measure what the recording costs."""

from __future__ import annotations

from synth.common.typing import MonoSamples, UInt8
from synth.engine.config import SamplingConfig
from synth.generation.voice import Voice
from synth.generation.voice_stream import VoiceStream


def follow_sound(voice: Voice, samples: MonoSamples) -> tuple[VoiceStream, UInt8]:
    """A stream along a recording's own latents, int16 (n,), and the codes (n,) that it can be teacher-forced by."""
    runtime = voice.runtime
    conditioner, codes, _ = runtime.along_sound(samples)
    sampling = runtime.network_sampling(SamplingConfig())
    state = voice.engine.state(seed=0, stream=0)
    stream = VoiceStream(voice.checkpoint, voice.engine, state, sampling, conditioner=conditioner, runtime=runtime)
    stream.begin(voice.label_schedule({}, None), None)
    return stream, codes
