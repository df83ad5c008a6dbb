"""The sounds that a voice learns: read, split, cut down to what there is time for, described, watched for changes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.common.errors import CorpusError, RunError
from synth.data import stretches
from synth.data.build import CorpusRequest
from synth.data.corpus import INDEX, Corpus, open_cache
from synth.training import locked_corpus, recording_tokens, token_corpus
from synth.training.loop import Say
from synth.training.nearest_voice import RATE
from synth.training.request import corpus_request, read_corpus
from synth.training.run_folder import RunFolder

ANALYSIS_SHARE, LABELLED_SHARE = 0.1, 0.06
"""Of the time that there is for all, what the analysis of sounds may take; of labelled ones, which is done twice."""
LEAST_SECONDS = 60.0
"""Of sound, that are taken however little time there is."""
MOST_SKIPPED, MOST_VALUES = 10, 8
"""Files left out, and values of a label, that are named."""
ANALYSED = (
    locked_corpus.INDEX,
    locked_corpus.RESIDUAL,
    locked_corpus.PHASES,
    locked_corpus.FEATURES,
    token_corpus.INDEX,
    token_corpus.TOKENS,
    recording_tokens.INDEX,
    recording_tokens.TOKENS,
)
NEW = "cache.new"


def request_of(folder: RunFolder, options: Any, rate: int) -> CorpusRequest:
    """What the cache of a voice is made of: all for training, unless a split says otherwise."""
    return corpus_request(folder, options, rate, ("train",))


@dataclass(frozen=True)
class Heard:
    """The corpus that a voice learns; `files` and `seconds` of all the sound that there is."""

    corpus: Corpus
    files: int
    seconds: float


def read(request: CorpusRequest, place: Path, seconds: float | None, quiet: bool) -> Heard:
    """The corpus in the cache `place`, with something for validation; at most about `seconds` are for training."""
    corpus = stretches.whole(read_corpus(request, place, quiet))
    files, all_seconds = len(corpus.entries), len(corpus.audio) / corpus.rate
    if not corpus.split("validation"):
        corpus = stretches.with_validation(corpus)
    return Heard(stretches.shortened(corpus, seconds), files, all_seconds)


def seconds_to_hear(seconds: float | None, speed: float, rate: int, labelled: bool) -> float | None:
    """Seconds of sound that can be analysed in a share of `seconds`, at `speed` seconds a second at RATE; None: all."""
    if seconds is None:
        return None
    return max(LEAST_SECONDS, (LABELLED_SHARE if labelled else ANALYSIS_SHARE) * seconds * speed * RATE / rate)


def describe(heard: Heard, say: Say) -> None:
    """Says what is learned from: files, minutes, rate, what is left out and why, split, labels with counts."""
    corpus, files = heard.corpus, heard.files
    for path, reason in corpus.skipped[:MOST_SKIPPED]:
        say(f"skipped {path}: {reason}")
    if len(corpus.skipped) > MOST_SKIPPED:
        say(f"skipped {len(corpus.skipped) - MOST_SKIPPED} more files, which {corpus.folder / INDEX} names")
    say(f"corpus: {files} file{'s' * (files != 1)}, {_time(heard.seconds)}, mixed to mono at {corpus.rate} Hz")
    parts = {split: corpus.size(split) / corpus.rate for split in ("train", "validation", "test")}
    used = ", ".join(f"{_time(seconds)} for {_PURPOSES[split]}" for split, seconds in parts.items() if seconds)
    say(f"split: {used}")
    if sum(parts.values()) < 0.98 * heard.seconds:
        say(f"there is no time to hear all of it: {_time(parts['train'])} are taken, spread over the files")
    for place, (key, values) in enumerate(corpus.labels.items()):
        counts = Counter(ids[place] for ids in {entry.name: entry.label_ids for entry in corpus.entries}.values())
        shown = [f"{value} ({counts[number]})" for number, value in enumerate(values, 1)]
        more = [f"{len(shown) - MOST_VALUES} more"] if len(shown) > MOST_VALUES else []
        none = [f"none ({counts[0]})"] if counts[0] else []
        say(f"label {key}: {', '.join([*shown[:MOST_VALUES], *more, *none])}")


_PURPOSES = {"train": "training", "validation": "validation", "test": "test"}


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def read_again(folder: RunFolder, request: CorpusRequest, seconds: float | None, quiet: bool, say: Say) -> None:
    """Brings the run's cache up to date where files came, went or changed since, and says which.

    Where there is time to hear more of the sound than before it is taken. RunError where the labels are others than
    before. A corpus that is no longer there stays as it was read.
    """
    place = folder.path / "cache"
    before = open_cache(place)
    try:
        names = {file.name for file in request.files(place)}
    except CorpusError as error:
        say(f"{error}: going on with the sounds as they were read before")
        return
    if request.is_current(place):
        heard = before.size("train")
        if read(request, place, seconds, quiet).corpus.size("train") != heard:
            _forget_analysis(place)
        return
    known = {entry.name for entry in before.entries}
    changes = [_listed(sorted(names - known), "new"), _listed(sorted(known - names), "gone")]
    say(f"the corpus has changed ({', '.join(filter(None, changes)) or 'files were written'}): it is read again")
    _replace(folder, before, lambda new: read(request, new, seconds, quiet).corpus)


def _replace(folder: RunFolder, before: Corpus, make: Callable[[Path], Corpus]) -> None:
    """Another cache in the place of the one `before`; RunError, and the old one stays, where labels are others."""
    place, new = folder.path / "cache", folder.path / NEW
    shutil.rmtree(new, ignore_errors=True)
    try:
        if make(new).labels != before.labels:
            raise RunError(
                f"{folder.path}: the corpus has other labels, or values of them, than before; train a new voice with"
                f" --from {folder.path}"
            )
        shutil.rmtree(place)
        new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _forget_analysis(place: Path) -> None:
    """Removes what was made of the sounds; it is made again when it is needed."""
    for name in ANALYSED:
        (place / name).unlink(missing_ok=True)


def _listed(names: Sequence[str], what: str) -> str:
    """The first of some names, how many more there are, and what of them; empty for none."""
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}"
