"""How good a vocoder is: bits a sample of the validation files, and the distance of what is read off their latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synth.audio.mulaw import SILENCE, decode
from synth.common.labels import LabelIds
from synth.common.typing import UInt8
from synth.data.corpus import Corpus
from synth.nn.vocoder import VocoderNetwork, spectral_targets
from synth.training.batches import validation_rows
from synth.training.locked_batches import FAINT
from synth.training.locked_corpus import LockedRow, open_locked
from synth.training.vocoder_loss import teacher_forced_bits
from synth.vocoder.config import VocoderConfig, token_hop
from synth.vocoder.mel import mel_of
from synth.vocoder.note_analysis import FLOOR
from synth.vocoder.tonal import QUIET

GROUP = 32  # files that are validated together
MAX_VALIDATED = 1 << 15  # samples of each


def rows_of(corpus: Corpus, config: VocoderConfig, most: int, narrow: float = 0.0) -> list[LockedRow]:
    """The validation files of a corpus, with features and phases; `narrow` as in `open_locked`."""
    if config.has_bed:
        return open_locked(corpus, config, narrow=narrow).rows("validation", most)
    files = validation_rows(corpus, "validation", most)
    return [plain_row(codes, label_ids, config, corpus.rate) for codes, label_ids in files]


def plain_row(codes: UInt8, label_ids: LabelIds, config: VocoderConfig, rate: int) -> LockedRow:
    """The row of a file's codes (n,) for a vocoder without a tonal bed; of at most MAX_VALIDATED samples."""
    hop = token_hop(rate)
    whole = np.pad(codes, (0, -len(codes) % hop), constant_values=SILENCE)[: MAX_VALIDATED // hop * hop]
    features = mel_of(decode(whole), config, rate)
    return LockedRow(codes[: len(whole)], np.zeros(len(whole), np.uint8), features, label_ids)


@torch.inference_mode()
def validate(vocoder: VocoderNetwork, rows: list[LockedRow]) -> dict[str, float]:
    """Bits a sample of files, each from a fresh state, with all tokens and with none; mean spectral distance."""
    totals: dict[str, float] = {"validation": 0.0, "validation_free": 0.0, "spectral": 0.0}
    count, hop = 0, token_hop(vocoder.network.config.sample_rate)
    device = vocoder.network.frame_bias.device
    ordered = sorted(rows, key=lambda row: len(row.codes))
    for at in range(0, len(ordered), GROUP):
        codes, phases, inside = _padded(ordered[at : at + GROUP], hop)
        features = _padded_features(ordered[at : at + GROUP], 2 * codes.shape[1] // hop, vocoder.config).to(device)
        z = vocoder.encode(features)
        sums = vocoder.quantize(z)[1]
        given = phases if vocoder.network.config.phases else None
        for name, latents in (("validation", sums[-1]), ("validation_free", z)):
            bits = teacher_forced_bits(vocoder, codes, *vocoder.condition(latents), given)
            totals[name] += float((bits.double() * inside.to(bits.device)).sum())
        frames = inside[:, :: hop // 2].to(z.device)
        distance = (vocoder.spectrum(sums[-1]) - spectral_targets(features, vocoder.config)).abs().mean(2)
        totals["spectral"] += float((distance * frames).sum()) * hop / 2
        count += int(inside.sum())
    return {name: total / max(1, count) for name, total in totals.items()}


def _padded(group: list[LockedRow], hop: int) -> tuple[UInt8, UInt8, Tensor]:
    """Codes and phases (files, time) of whole token frames, longer files cut, and which samples are inside."""
    longest = min(-(-max(len(row.codes) for row in group) // hop), MAX_VALIDATED // hop) * hop
    codes, phases = np.full((len(group), longest), SILENCE, np.uint8), np.zeros((len(group), longest), np.uint8)
    for place, row in enumerate(group):
        codes[place, : len(row.codes)] = row.codes[:longest]
        phases[place, : len(row.phases)] = row.phases[:longest]
    return codes, phases, torch.arange(longest)[None] < torch.tensor([len(row.codes) for row in group])[:, None]


def _padded_features(group: list[LockedRow], frames: int, config: VocoderConfig) -> Tensor:
    """Features (files, frames, inputs); after a file's end there is silence, its pitch goes on."""
    rows = []
    for row in group:
        silence = np.repeat(row.features[-1:], max(0, frames - len(row.features)), 0)
        silence[:, : config.mels] = np.log(FAINT)
        if config.tones:
            silence[:, config.mels : -2], silence[:, -1] = QUIET, 0.0
        if config.notes:
            silence[:, config.mels :] = FLOOR
        rows.append(np.concatenate([row.features, silence])[:frames])
    return torch.from_numpy(np.stack(rows).astype(np.float32))
