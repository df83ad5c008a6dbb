#!/usr/bin/env python3
"""Lets `digits-classifier` recognise copies and morphs of test files, written into docs/benchmarks/morphs.md.

    python benchmarks/morphs.py CORPORA [--work FOLDER] [--takes N]

CORPORA is a folder with fsdd-8k. Each sound is one `synth vocode` or `synth morph`, about a third of a second; those
that lie in FOLDER already are not made again. Spectrograms of some are drawn into samples/morph.png.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

import pages
import splits
from synth.common.cpus import available_cpus

VOICE, CLASSIFIER = "digits-5", "digits-classifier-1"
PICTURE = pages.SAMPLES / "morph.png"


class Spoken(NamedTuple):
    """What a recording says, and who: its file is fsdd-8k/DIGIT_SPEAKER_TAKE.flac."""

    digit: str
    speaker: str
    take: str

    @classmethod
    def of(cls, path: Path) -> Spoken:
        return cls(*path.stem.split("_"))

    @property
    def stem(self) -> str:
        return "_".join(self)

    @property
    def next_speaker(self) -> str:
        """Another speaker, each in turn."""
        return splits.SPEAKERS[(splits.SPEAKERS.index(self.speaker) + 1) % len(splits.SPEAKERS)]


class Workshop:
    """Makes sounds of recordings with the voice, and keeps them in a folder."""

    def __init__(self, corpora: Path, work: Path) -> None:
        self.corpus, self.work = corpora / "fsdd-8k", work
        work.mkdir(parents=True, exist_ok=True)

    def recording(self, spoken: Spoken) -> Path:
        return self.corpus / f"{spoken.stem}.flac"

    def _made(self, name: str, *command: object) -> Path:
        path = self.work / f"{name}.wav"
        if not path.exists():
            pages.synth(*command, "-o", path, "-c", VOICE, "-s", 0, "-q")
        return path

    def copy(self, spoken: Spoken, tokens: int | None = None) -> Path:
        """A recording said again, through so many tokens a frame or without any loss by them."""
        name = f"{spoken.stem}-copy" + (f"-{tokens}" if tokens else "")
        return self._made(name, "vocode", self.recording(spoken), *(("--tokens", tokens) if tokens else ()))

    def stretched(self, spoken: Spoken, stretch: float) -> Path:
        name = f"{spoken.stem}-stretched-{stretch:g}"
        return self._made(name, "morph", self.recording(spoken), "--time-stretch", stretch)

    def mixed(self, first: Spoken, second: Spoken, share: float) -> Path:
        name = f"{first.stem}-to-{second.stem}-{share:g}"
        return self._made(name, "morph", self.recording(first), self.recording(second), "--mix", share)

    def moved(self, spoken: Spoken, speaker: str) -> Path:
        name = f"{spoken.stem}-as-{speaker}"
        return self._made(name, "morph", self.recording(spoken), "--keep-label", f"speaker={speaker}")


def recognised(paths: list[Path]) -> list[tuple[str, str]]:
    """The digit and the speaker that the classifier takes each sound for."""
    report = pages.synth_json("classify", "-q", "-c", CLASSIFIER, "--top", 1, *paths)
    return [(file["digit"][0]["label"], file["speaker"][0]["label"]) for file in report["files"]]


def row(name: str, paths: Iterable[Path], wanted: list[tuple[str, ...]], heads: tuple[str, ...]) -> list[object]:
    """A row of the table: how often the digit and each of the speakers in `wanted` was recognised."""
    labels = recognised(list(paths))
    hits = [
        (digit == want[0], *(speaker == other for other in want[1:]))
        for (digit, speaker), want in zip(labels, wanted, strict=True)
    ]
    shares = [f"{head} {pages.percent(float(share))}" for head, share in zip(heads, np.mean(hits, 0), strict=True)]
    return [name, len(hits), ", ".join(shares)]


def rows(shop: Workshop, copies: list[Spoken], sources: list[Spoken]) -> list[list[object]]:
    """The table's rows: copies of many recordings, morphs of a few."""
    pool = ThreadPoolExecutor(available_cpus())
    plain, both = ("digit", "speaker"), ("digit", "first speaker", "second")
    same: list[tuple[str, ...]] = [(s.digit, s.speaker) for s in copies]
    again = [
        row("copies (`synth vocode`), all test files", pool.map(shop.copy, copies), same, plain),
        row("copies through 8 tokens", pool.map(lambda s: shop.copy(s, 8), copies), same, plain),
    ]
    same = [(s.digit, s.speaker) for s in sources]
    for stretch in (0.7, 1.5, 2.5):
        paths = pool.map(shop.stretched, sources, repeat(stretch))
        again.append(row(f"`--time-stretch {stretch}`", paths, same, plain))
    pairs: list[tuple[str, ...]] = [(s.digit, s.speaker, s.next_speaker) for s in sources]
    others = [s._replace(speaker=s.next_speaker) for s in sources]
    for share in (0.25, 0.5, 0.75):
        paths = pool.map(shop.mixed, sources, others, repeat(share))
        again.append(row(f"same digit, two speakers, `--mix {share}`", paths, pairs, both))
    paths = pool.map(lambda s: shop.moved(s, s.next_speaker), sources)
    again.append(row("`--keep-label speaker=` another", paths, pairs, ("digit", "first speaker", "asked for")))
    return again


def drawn(shop: Workshop) -> list[tuple[str, Path]]:
    """Titles and sounds of the picture: three rows of five."""
    theo, george = Spoken("7", "theo", "0"), Spoken("7", "george", "0")
    zero, nine = Spoken("0", "jackson", "0"), Spoken("9", "jackson", "0")
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    sounds = [(f"seven, theo to george: {x:g}", shop.mixed(theo, george, x)) for x in shares]
    sounds += [(f"zero to nine, jackson: {x:g}", shop.mixed(zero, nine, x)) for x in shares]
    sounds += [(f"seven, theo as {name}", shop.moved(theo, name)) for name in ("lucas", "nicolas", "yweweler")]
    return sounds + [(f"{x:g} times as long", shop.stretched(theo, x)) for x in (0.7, 1.5)]


def draw(sounds: list[tuple[str, Path]]) -> None:
    """Spectrograms of paths from one sound to another, and of what labels and lengths change."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 5, figsize=(13, 6.5), sharey=True, layout="constrained")
    for axis, (title, path) in zip(axes.flat, sounds, strict=True):
        wave, rate = soundfile.read(path)
        noise = 1e-5 * np.random.default_rng(0).normal(size=len(wave) + 128)
        wave = np.concatenate([wave, np.zeros(128)]) + noise
        axis.specgram(wave, NFFT=200, noverlap=160, pad_to=512, Fs=rate, cmap="magma", vmin=-110, vmax=-40)
        axis.set_title(title, fontsize=9)
        axis.set_ylim(0, rate / 2)
    figure.supxlabel("seconds")
    figure.supylabel("hertz")
    figure.savefig(PICTURE, dpi=58, pil_kwargs={"optimize": True})


def main() -> None:
    parser = pages.parser(__doc__, "morphs")
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    parser.add_argument("--takes", type=int, default=5, metavar="N", help="of copies, test has 5; fewer: only printed")
    options = parser.parse_args()
    shop = Workshop(options.corpora, options.work)
    copies = [Spoken.of(path) for path in splits.fsdd(options.corpora, range(options.takes))]
    table = rows(shop, copies, [spoken for spoken in copies if spoken.take == "0"])
    lines = pages.table(("what", "files", "heard"), table)
    print("\n".join(lines))
    if options.takes == 5:
        draw(drawn(shop))
        pages.write_section("morphs", "morphs", lines)


if __name__ == "__main__":
    main()
