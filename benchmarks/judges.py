"""Judges of copies from outside of the project: pitch, naturalness, speaker, words, notes, PESQ. None knows synth.

Each takes pairs of waves at 16 kHz, the recording and its copy, and gives a number for each pair or one of all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from synth.common.typing import Float32, Float64

RATE = 16000
SURE, CENTS = 0.6, 50.0
"""Frames of a recording count whose periodicity is above the first; a copy's pitch is right within the second."""
Pairs = Sequence[tuple[Float32, Float32]]


def pitch(pairs: Pairs) -> float:
    """The share of voiced frames (10 ms) whose pitch is within 50 cents of the recording's, both by CREPE (tiny)."""
    right = voiced = 0
    for recording, copy in pairs:
        (wanted, sure), (got, _) = _crepe(recording), _crepe(copy)
        count = min(len(wanted), len(got))
        on = sure[:count] > SURE
        off = np.abs(1200 * np.log2(got[:count] / wanted[:count]))
        right, voiced = right + int((off[on] < CENTS).sum()), voiced + int(on.sum())
    return right / max(1, voiced)


def _crepe(wave: Float32) -> tuple[Float64, Float64]:
    import torch
    import torchcrepe

    torch.set_num_threads(1)
    sound = torch.from_numpy(wave)[None]
    hertz, sure = torchcrepe.predict(sound, RATE, RATE // 100, 50, 1000, "tiny", return_periodicity=True)
    return hertz[0].numpy(), sure[0].numpy()


def naturalness(pairs: Pairs) -> float:
    """The mean opinion from 1 to 5 that DistillMOS expects of the copies."""
    import torch

    with torch.no_grad():
        return float(np.mean([float(_distillmos()(torch.from_numpy(copy)[None])) for _, copy in pairs]))


@cache
def _distillmos() -> Any:
    import distillmos

    return distillmos.ConvTransformerSQAModel().eval()


def speaker(pairs: Pairs) -> float:
    """The mean cosine of copies to their own recordings (Resemblyzer)."""
    return float(np.mean([_embedding(copy) @ _embedding(recording) for recording, copy in pairs]))


@cache
def _encoder() -> Any:
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


def _embedding(wave: Float32) -> Float32:
    from resemblyzer import preprocess_wav

    embedding: Float32 = _encoder().embed_utterance(preprocess_wav(wave, RATE))
    return embedding


def notes(pairs: Pairs) -> float:
    """Mean F1 of notes within 50 ms and half a semitone of the recording's, both by Basic Pitch."""
    from mir_eval.transcription import precision_recall_f1_overlap

    scores = []
    for recording, copy in pairs:
        (wanted, wanted_hertz), (got, got_hertz) = _notes(recording), _notes(copy)
        if len(wanted) and len(got):
            figures = precision_recall_f1_overlap(wanted, wanted_hertz, got, got_hertz, offset_ratio=None)
        scores.append(figures[2] if len(wanted) and len(got) else 0.0)
    return float(np.mean(scores))


@cache
def _note_model() -> Any:
    from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
    from basic_pitch.inference import Model

    return Model(build_icassp_2022_model_path(FilenameSuffix.onnx))


def _notes(wave: Float32) -> tuple[Float64, Float64]:
    """Beginnings and ends (notes, 2) in seconds, and pitches (notes,) in Hz."""
    import contextlib
    import io
    import tempfile

    import soundfile
    from basic_pitch.inference import predict

    with tempfile.NamedTemporaryFile(suffix=".wav") as file, contextlib.redirect_stdout(io.StringIO()):
        soundfile.write(file.name, wave, RATE)
        events = sorted(predict(file.name, _note_model())[2])
    spans = np.array([event[:2] for event in events], np.float64).reshape(-1, 2)
    return spans, np.array([440 * 2 ** ((event[2] - 69) / 12) for event in events])


def closeness(pairs: Pairs) -> float:
    """Mean PESQ-WB of copies against their recordings."""
    from pesq import pesq

    lengths = [min(len(recording), len(copy)) for recording, copy in pairs]
    both = zip(pairs, lengths, strict=True)
    return float(np.mean([pesq(RATE, recording[:count], copy[:count], "wb") for (recording, copy), count in both]))


def word_errors(texts: Sequence[str], waves: Sequence[Float32]) -> float:
    """The word error rate of what a small recogniser (Moonshine tiny) hears."""
    import jiwer

    heard = [plain(_hear(wave)) or "-" for wave in waves]
    return float(jiwer.wer([plain(text) for text in texts], heard))


@cache
def _transcriber() -> Any:
    from moonshine_voice import ModelArch, Transcriber, get_model_path

    return Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY)


def _hear(wave: Float32) -> str:
    lines = _transcriber().transcribe_without_streaming(wave.tolist(), RATE).lines
    return " ".join(line.text for line in lines)


def plain(text: str) -> str:
    """Lower case letters, apostrophes and single spaces; numbers in words."""
    from num2words import num2words

    ordinal = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda match: str(num2words(int(match[1]), to="ordinal")), text)
    spelt = re.sub(r"\d+", lambda match: str(num2words(int(match[0]))), ordinal)
    return " ".join(re.sub(r"[^a-z' ]+", " ", spelt.lower().replace("-", " ")).split())
