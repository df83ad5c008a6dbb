"""A training corpus: any folders of audio, indexed, split, labelled, cached as one int16 file that is memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from synth.audio.reader import AudioReader
from synth.common.errors import AudioError, CorpusError
from synth.common.labels import LabelIds, LabelSet
from synth.common.typing import MonoSamples
from synth.data.label_rules import Labeller, natural
from synth.data.splits import SPLITS, Item, Splitter

AUDIO, INDEX, VERSION = "audio.i16", "index.json", 1
SUFFIXES = frozenset(
    "wav wave rf64 w64 flac ogg oga opus mp3 aif aiff aifc au snd caf voc sph nist avr paf pvf sds svx 8svx ircam sf"
    " htk xi mpc2k m4a aac wma mp4 ape wv".split()
)  # the last six are audio that libsndfile does not read: they are named and skipped
SILENT = 33  # a peak below this, 60 dB under full scale, is silence
_COPY = 1 << 20  # samples a block when a trimmed file is moved up


@dataclass(frozen=True)
class Entry:
    """A file's place in the cache: `start` and `length` in samples; `label_ids` one a key (0 is none)."""

    name: str
    start: int
    length: int
    label_ids: LabelIds
    split: str


@dataclass(frozen=True)
class Corpus:
    """`audio` int16 (all samples,), memory-mapped; `labels` the keys with their values; `skipped` (path, reason)."""

    folder: Path
    rate: int
    audio: MonoSamples
    entries: tuple[Entry, ...]
    labels: LabelSet
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str

    def split(self, name: str) -> tuple[Entry, ...]:
        """The files of 'train', 'validation' or 'test', by name."""
        return tuple(entry for entry in self.entries if entry.split == name)

    def samples(self, entry: Entry, start: int = 0, stop: int | None = None) -> MonoSamples:
        """A view of the samples `start` to `stop` of one file."""
        return self.audio[entry.start : entry.start + entry.length][start:stop]

    def size(self, split: str) -> int:
        """How many samples a split has."""
        return sum(entry.length for entry in self.entries if entry.split == split)


def open_cache(folder: str | os.PathLike[str]) -> Corpus:
    """The corpus that `build` left in `folder`, without the sound files themselves; CorpusError if it is not whole."""
    place = Path(folder)
    try:
        index = json.loads((place / INDEX).read_text("utf-8"))
        if index["version"] != VERSION:
            raise CorpusError(f"{place}: cache of another version ({index['version']}); delete it to build it again")
        entries = tuple(Entry(n, int(s), int(k), tuple(rows), split) for n, s, k, rows, split in index["files"])
        labels = LabelSet.from_json(index["labels"])
        skipped = tuple((path, reason) for path, reason in index["skipped"])
        rate, total, fingerprint = int(index["rate"]), int(index["samples"]), str(index["fingerprint"])
        if (place / AUDIO).stat().st_size != 2 * total or any(e.start + e.length > total for e in entries):
            raise CorpusError(f"{place}: the cached audio is not whole; delete it to build it again")
        audio = np.memmap(place / AUDIO, "<i2", "r", shape=(total,))
    except FileNotFoundError as error:
        raise CorpusError(f"{error.filename}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{place}: not a corpus cache ({error})") from None
    return Corpus(place, rate, audio, entries, labels, skipped, fingerprint)


def build(
    paths: Sequence[str | os.PathLike[str]],
    cache_dir: str | os.PathLike[str],
    rate: int,
    labels: str | None = None,
    trim: bool = False,
    split: str | None = None,
    min_seconds: float = 0.05,
    label_keys: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    exclude: Sequence[str | os.PathLike[str]] = (),
) -> Corpus:
    """Index the audio files in `paths`, at `rate` Hz and mixed to mono, in `cache_dir`, or reuse what is there.

    Folders are searched to the bottom, but not `cache_dir` and the folders in `exclude`. `labels`: a file-name pattern
    such as "{digit}_{speaker}_{take}" or a CSV (see `labelling`); `split`: a rule such as "test:every=10+1" or a list
    (see `splits`). `trim` cuts silence off both ends of each file. Broken, silent and short files (below `min_seconds`)
    are left out and named in `skipped`. `progress(done, total)` is called after each file. The cache is reused when
    paths, sizes, times and options are the same. Memory does not grow with the corpus. Raises CorpusError when nothing
    is left, or nothing for training.
    """
    found = _find(paths, {os.path.realpath(path) for path in (cache_dir, *exclude)})
    labeller = Labeller(labels, label_keys)
    splitter = Splitter(split)
    folder = Path(cache_dir)
    options = [VERSION, rate, trim, min_seconds, labeller.fingerprint, splitter.fingerprint]
    fingerprint = _fingerprint(found, options)
    try:
        cached = open_cache(folder)
        if cached.fingerprint == fingerprint:
            return cached
    except CorpusError:
        pass
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _build(found, folder, rate, trim, min_seconds, labeller, splitter, fingerprint, progress)
    except OSError as error:
        raise CorpusError(f"{folder}: can't write the cache ({error.strerror or error})") from None
    return open_cache(folder)


@dataclass(frozen=True)
class _Found:
    path: Path
    name: str  # relative to the folder that was given, with slashes
    number: int  # from 1, in the order of the names


def _find(paths: Sequence[str | os.PathLike[str]], exclude: set[str]) -> list[_Found]:
    """All audio files, by name; a file that is reached twice counts once."""
    seen: dict[str, tuple[str, Path]] = {}
    for given in paths:
        top = Path(given)
        if top.is_dir():
            for folder, folders, files in os.walk(top):
                folders[:] = [n for n in folders if n[0] != "." and os.path.realpath(Path(folder, n)) not in exclude]
                for name in files:
                    path = Path(folder, name)
                    if not name.startswith(".") and path.suffix[1:].lower() in SUFFIXES:
                        seen.setdefault(os.path.realpath(path), (path.relative_to(top).as_posix(), path))
        elif top.exists():
            seen.setdefault(os.path.realpath(top), (top.name, top))
        else:
            raise CorpusError(f"{top}: no such file or folder")
    if not seen:
        raise CorpusError(f"{', '.join(str(path) for path in paths) or 'no path'}: no audio files there")
    order = sorted(seen.values(), key=lambda pair: (pair[0], str(pair[1])))
    return [_Found(path, name, number) for number, (name, path) in enumerate(order, 1)]


def _fingerprint(found: list[_Found], options: list[Any]) -> str:
    files = [(os.path.abspath(item.path), item.name, *_stamp(item.path)) for item in found]
    return hashlib.sha256(json.dumps([options, files]).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _build(
    found: list[_Found],
    folder: Path,
    rate: int,
    trim: bool,
    min_seconds: float,
    labeller: Labeller,
    splitter: Splitter,
    fingerprint: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write audio and index under other names, then rename; the index goes last, so it never names other audio."""
    labeller.check([(item.path, item.name) for item in found])
    splitter.check([item.name for item in found], labeller.keys)
    skipped: list[tuple[str, str]] = []
    kept: list[tuple[Item, int, int]] = []
    mark = uuid.uuid4().hex[:12]
    audio, index = folder / f".{AUDIO}.{mark}", folder / f".{INDEX}.{mark}"
    try:
        with open(audio, "wb+") as file:
            for done, item in enumerate(found, 1):
                start = file.tell() // 2
                try:
                    values = labeller.values(item.path, item.name)
                    length = _append(file, item.path, rate, trim, min_seconds)
                    kept.append((Item(item.name, item.number, values), start, length))
                except AudioError as error:
                    skipped.append((str(item.path), str(error).removeprefix(f"{item.path}: ")))
                    file.seek(2 * start)
                    file.truncate()
                if progress is not None:
                    progress(done, len(found))
            file.flush()
            os.fsync(file.fileno())
        _write_index(index, rate, kept, skipped, labeller.chosen, splitter, fingerprint)
        (folder / INDEX).unlink(missing_ok=True)
        os.replace(audio, folder / AUDIO)
        os.replace(index, folder / INDEX)
    finally:
        audio.unlink(missing_ok=True)
        index.unlink(missing_ok=True)


def _write_index(
    path: Path,
    rate: int,
    kept: list[tuple[Item, int, int]],
    skipped: list[tuple[str, str]],
    keys: Sequence[str],
    splitter: Splitter,
    fingerprint: str,
) -> None:
    if not kept:
        first = f"; the first: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise CorpusError(f"none of {len(skipped)} files can be used{first}")
    labels = [(key, sorted({i.values[key] for i, _, _ in kept if i.values.get(key)}, key=natural)) for key in keys]
    labels = [(key, values) for key, values in labels if values]
    splits = splitter.assign([item for item, _, _ in kept])
    files: list[list[Any]] = []
    single = splits.count(SPLITS[0]) == 1 and "validation" not in splits
    for (item, start, length), split in zip(kept, splits, strict=True):
        rows = [1 + values.index(item.values[key]) if item.values.get(key) else 0 for key, values in labels]
        if single and split == SPLITS[0]:  # one file for training: its end is for validation
            tail = max(1, length // 10)
            files.append([item.name, start, length - tail, rows, "train"])
            files.append([item.name, start + length - tail, tail, rows, "validation"])
        else:
            files.append([item.name, start, length, rows, split])
    if not any(row[-1] == SPLITS[0] for row in files):
        raise CorpusError("the split leaves no files for training")
    total = sum(length for _, _, length in kept)
    index = {"version": VERSION, "fingerprint": fingerprint, "rate": rate, "samples": total}
    index |= {"labels": labels, "files": files, "skipped": skipped}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(index, file)
        file.flush()
        os.fsync(file.fileno())


def _append(file: IO[bytes], path: Path, rate: int, trim: bool, min_seconds: float) -> int:
    """Append a file's samples, block by block, and return how many; AudioError when they can't be used."""
    start, length, peak = file.tell(), 0, 0
    with AudioReader(path, rate) as reader:
        for block in reader.blocks():
            file.write(block.astype("<i2", copy=False).tobytes())
            length += len(block)
            peak = max(peak, int(np.abs(block.astype(np.int32)).max(initial=0)))
    if length and peak < SILENT:
        raise AudioError(f"{path}: is silent")
    if trim and length:
        length = _trim(file, start, length, rate)
    if length < max(1, min_seconds * rate):
        raise AudioError(f"{path}: is too short ({1000 * length / rate:.0f} ms)")
    return length


def _trim(file: IO[bytes], start: int, length: int, rate: int) -> int:
    """Cut both ends where 10 ms are 40 dB below the file's loudest 10 ms, less 20 ms; returns the new length."""
    step = max(1, rate // 100)
    file.flush()
    sound = np.memmap(file, "<i2", "r+", offset=start, shape=(length,))
    power = np.zeros(length // step)
    for at in range(0, len(power), 4096):
        frames = sound[at * step : (at + 4096) * step]
        frames = frames[: len(frames) // step * step].reshape(-1, step).astype(np.float64)
        power[at : at + 4096] = np.square(frames).sum(axis=1)
    if not power.any():
        return length
    loud = np.flatnonzero(power >= power.max() * 1e-4)
    begin, end = max(0, (int(loud[0]) - 2) * step), min(length, (int(loud[-1]) + 3) * step)
    if begin:
        for at in range(begin, end, _COPY):
            stop = min(end, at + _COPY)
            sound[at - begin : stop - begin] = sound[at:stop].copy()
    sound.flush()
    del sound
    file.seek(start + 2 * (end - begin))
    file.truncate()
    return end - begin
