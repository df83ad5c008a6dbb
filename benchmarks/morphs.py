#!/usr/bin/env python3
"""Lets `digits-classifier` hear morphs of test files and writes it into BENCHMARKS.md: `.ci/morphs CORPORA`.

Spectrograms of some of them are drawn into samples/morph.png.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from synth.vocoder import label_means
from synth.audio import reader
from synth.recognition import classifier
from synth.generation import model as sampler
from synth.generation.morph import mixed

HERE = Path(__file__).resolve().parent.parent
START, END = "<!-- morphs -->", "<!-- /morphs -->"
WORDS = (("0", "jackson", "0"), ("9", "jackson", "0"))
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


SEEN = [
    "![Spectrograms of morphs](samples/morph.png)",
    "",
    "Above, from one speaker's seven to another's, louder one: formants and level glide, in the middle lie the formants of",
    "both. In the middle, from zero to nine: frame by frame a blend that is no word. Below, `--keep-label speaker=` and",
    "`--time-stretch`: another speaker's level, noise and colour, as the recordings have them, over the same course of the",
    "word; pitch and formants move little. Stretched, the same spectrum lasts longer.",
]


def draw(heard: dict[tuple[str, str, str], np.ndarray], spoken: Callable[..., np.ndarray], rate: int) -> None:
    """Spectrograms of paths from one sound to another, and of what labels and lengths change."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    theo, george, zero, nine = (heard[key] for key in (("7", "theo", "0"), ("7", "george", "0"), *WORDS))
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    rows = [[(f"seven, theo to george: {x:g}", spoken(mixed(theo, george, (x, x)))) for x in shares]]
    rows += [[(f"zero to nine, jackson: {x:g}", spoken(mixed(zero, nine, (x, x)))) for x in shares]]
    labels = [(f"seven, theo as {name}", spoken(theo, speaker=name)) for name in ("lucas", "nicolas", "yweweler")]
    rows += [[*labels, *((f"{x:g} times as long", spoken(mixed(theo, theo, (0, 0), x))) for x in (0.7, 1.5))]]
    figure, axes = pyplot.subplots(3, 5, figsize=(13, 6.5), sharey=True, layout="constrained")
    for place, (title, sound) in enumerate(pair for row in rows for pair in row):
        axis = axes.flat[place]
        wave = np.concatenate([sound / 32768, np.zeros(128)]) + 1e-5 * np.random.default_rng(0).normal(
            size=len(sound) + 128
        )
        axis.specgram(wave, NFFT=200, noverlap=160, pad_to=512, Fs=rate, cmap="magma", vmin=-110, vmax=-40)
        axis.set_title(title, fontsize=9)
        axis.set_ylim(0, rate / 2)
    figure.supxlabel("seconds")
    figure.supylabel("hertz")
    figure.savefig(HERE / "samples/morph.png", dpi=58, pil_kwargs={"optimize": True})


def main() -> None:
    model, ear = sampler.load("digits"), classifier.load()
    assert model.guides is not None
    vocoder = model.guides.vocoder
    heard = {}
    for path in sorted(Path(sys.argv[1], "fsdd-8k").glob("*_[01].flac")):
        digit, speaker, take = path.stem.split("_")
        heard[digit, speaker, take] = vocoder.hear(reader.read(str(path), model.sample_rate)[0])

    def spoken(vectors: np.ndarray, **labels: str) -> np.ndarray:
        rows = model.checkpoint.config.labels.ids(labels)
        vectors = label_means.moved(vectors, rows, model.checkpoint.voice.means)  # type: ignore[union-attr]
        return model.follow(vocoder.exact(vectors), seed=0, labels=labels).pcm(len(vectors) * vocoder.hop)

    def told(vectors: np.ndarray, **labels: str) -> tuple[str, str]:
        logs = ear.listen(spoken(vectors, **labels), model.sample_rate).log_probabilities
        return tuple(t.values[int(np.argmax(logs[t.name]))] for t in ear.targets)  # type: ignore[return-value]

    rows = []
    copies = {}
    for path in sorted(Path(sys.argv[1], "fsdd-8k").glob("*_[01234].flac")):
        copies[tuple(path.stem.split("_"))] = vocoder.hear(reader.read(str(path), model.sample_rate)[0])

    def row(name: str, found: list[tuple[bool, ...]], heads: str) -> None:
        shares = ", ".join(
            f"{head} {100 * np.mean([f[k] for f in found]):.1f} %" for k, head in enumerate(heads.split("|"))
        )
        rows.append(f"| {name} | {len(found)} | {shares} |")

    for name, count in (("copies (`synth vocode`), all test files", None), ("copies through 8 tokens", 8)):
        again = [
            told(h if count is None else vocoder.inexact(vocoder.vectors(vocoder.tokens(h, count))))
            for h in copies.values()
        ]
        row(name, [(f[0] == k[0], f[1] == k[1]) for f, k in zip(again, copies, strict=True)], "digit|speaker")
    keys = [key for key in heard if key[2] == "0"]
    for stretch in (0.7, 1.5, 2.5):
        found = [told(mixed(heard[k], heard[k], (0, 0), stretch)) for k in keys]
        pairs = [(f[0] == k[0], f[1] == k[1]) for f, k in zip(found, keys, strict=True)]
        row(f"`--time-stretch {stretch}`", pairs, "digit|speaker")
    others = {k: SPEAKERS[(SPEAKERS.index(k[1]) + 1) % len(SPEAKERS)] for k in keys}
    for share in (0.25, 0.5, 0.75):
        found = [told(mixed(heard[k], heard[k[0], others[k], "0"], (share, share))) for k in keys]
        triples = [(f[0] == k[0], f[1] == k[1], f[1] == others[k]) for f, k in zip(found, keys, strict=True)]
        row(f"same digit, two speakers, `--mix {share}`", triples, "digit|first speaker|second")
    found = [told(heard[k], speaker=others[k]) for k in keys]
    triples = [(f[0] == k[0], f[1] == k[1], f[1] == others[k]) for f, k in zip(found, keys, strict=True)]
    row("`--keep-label speaker=` another", triples, "digit|first speaker|asked for")
    draw(heard, spoken, model.sample_rate)
    text = [
        "## Morphs, heard",
        "",
        "Written by `.ci/morphs CORPORA`: copies of takes 0 to 4 of fsdd-8k (test), morphs of takes 0, spoken by digits-4, heard by",
    ]
    text += ["`digits-classifier-1`.", "", "| what | files | heard |", "|---|---|---|", *rows, "", *SEEN]
    page = HERE / "BENCHMARKS.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before.rstrip()}\n\n{START}\n" + "\n".join(text) + f"\n{END}{after or chr(10)}")


if __name__ == "__main__":
    main()
