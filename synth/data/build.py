"""Builds the cache of a training corpus: any folders of audio, indexed, split, labelled."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from synth.common.errors import AudioError, CorpusError, OutputError
from synth.common.new_file import NewFile, write_whole
from synth.data.audio_files import AudioFile, find_audio_files, fingerprint
from synth.data.cache_audio import append_audio
from synth.data.corpus import AUDIO, INDEX, VERSION, Corpus, open_cache
from synth.data.label_rules import Labeller, natural
from synth.data.splits import SPLITS, Item, Splitter

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CorpusRequest:
    """What a corpus's cache is made of.

    `paths`: folders, which are searched to the bottom, and files; not those in the folders `exclude`. `labels`: a
    file-name pattern such as "{digit}_{speaker}_{take}" or a CSV (see `label_rules`), of which `label_keys` are taken.
    `split`: a rule such as "test:every=10+1" or a list (see `splits`), or None for one into `parts`. `trim` cuts
    silence off both ends of each file; files below `min_seconds` are left out.
    """

    paths: Sequence[str | os.PathLike[str]]
    rate: int
    labels: str | None = None
    trim: bool = False
    split: str | None = None
    min_seconds: float = 0.05
    label_keys: Sequence[str] | None = None
    exclude: Sequence[str | os.PathLike[str]] = ()
    parts: Sequence[str] = SPLITS

    def files(self, folder: str | os.PathLike[str]) -> list[AudioFile]:
        """The sound files, but for those in the cache's `folder`; CorpusError when there are none."""
        return find_audio_files(self.paths, {os.path.realpath(path) for path in (folder, *self.exclude)})

    def is_current(self, folder: str | os.PathLike[str]) -> bool:
        """Whether the cache in `folder` was built for this request of files that have not changed since."""
        try:
            return open_cache(folder).fingerprint == self._build(Path(folder), self.files(folder)).fingerprint
        except CorpusError:
            return False

    def build(self, folder: str | os.PathLike[str], progress: Progress | None = None) -> Corpus:
        """The corpus in `folder`, built there or reused; as `build` says."""
        place, files = Path(folder), self.files(folder)
        building = self._build(place, files)
        try:
            cached = open_cache(place)
            if cached.fingerprint == building.fingerprint:
                return cached
        except CorpusError:
            pass
        try:
            place.mkdir(parents=True, exist_ok=True)
            building.write(files, progress)
        except OSError as error:
            raise CorpusError(f"{place}: can't write the cache ({error.strerror or error})") from None
        except OutputError as error:
            raise CorpusError(f"{place}: can't write the cache ({error})") from None
        return open_cache(place)

    def _build(self, folder: Path, files: Sequence[AudioFile]) -> _Build:
        labeller, splitter = Labeller(self.labels, self.label_keys), Splitter(self.split, self.parts)
        options = [VERSION, self.rate, self.trim, self.min_seconds, labeller.fingerprint, splitter.fingerprint]
        own = fingerprint(files, options)
        return _Build(folder, self.rate, self.trim, self.min_seconds, labeller, splitter, own)


def build(
    paths: Sequence[str | os.PathLike[str]],
    cache_dir: str | os.PathLike[str],
    rate: int,
    labels: str | None = None,
    trim: bool = False,
    split: str | None = None,
    min_seconds: float = 0.05,
    label_keys: Sequence[str] | None = None,
    progress: Progress | None = None,
    exclude: Sequence[str | os.PathLike[str]] = (),
) -> Corpus:
    """Index the audio files in `paths`, at `rate` Hz and mixed to mono, in `cache_dir`, or reuse what is there.

    The other options are those of `CorpusRequest`. Broken, silent and short files are left out and named in `skipped`.
    `progress(done, total)` is called after each file. The cache is reused when paths, sizes, times and options are the
    same. Memory does not grow with the corpus. Raises CorpusError when nothing is left, or nothing for training.
    """
    request = CorpusRequest(paths, rate, labels, trim, split, min_seconds, label_keys, exclude)
    return request.build(cache_dir, progress)


@dataclass(frozen=True)
class _Indexed:
    """A sound file in the cache: where its samples begin, and how many there are."""

    item: Item
    start: int
    length: int


@dataclass(frozen=True)
class _Build:
    """What a cache in `folder` is built with."""

    folder: Path
    rate: int
    trim: bool
    min_seconds: float
    labeller: Labeller
    splitter: Splitter
    fingerprint: str

    def write(self, files: Sequence[AudioFile], progress: Progress | None) -> None:
        """Audio, then index: it goes before new audio comes, and comes last, so that it never names other audio."""
        self.labeller.check([(file.path, file.name) for file in files])
        self.splitter.check([file.name for file in files], self.labeller.keys)
        with NewFile(self.folder / AUDIO, force=True, like=[file.path for file in files]) as audio:
            indexed, skipped = self._append_all(audio.file, files, progress)
            index = self._index(indexed, skipped)
            (self.folder / INDEX).unlink(missing_ok=True)
        write_whole(self.folder / INDEX, json.dumps(index).encode())

    def _append_all(
        self, audio: IO[bytes], files: Sequence[AudioFile], progress: Progress | None
    ) -> tuple[list[_Indexed], list[tuple[str, str]]]:
        """The samples of all files; which can be used, and path and reason of those that can't."""
        indexed: list[_Indexed] = []
        skipped: list[tuple[str, str]] = []
        for done, file in enumerate(files, 1):
            start = audio.tell() // 2
            try:
                item = Item(file.name, file.number, self.labeller.values(file.path, file.name))
                length = append_audio(audio, file.path, self.rate, self.trim, self.min_seconds)
                indexed.append(_Indexed(item, start, length))
            except AudioError as error:
                skipped.append((str(file.path), str(error).removeprefix(f"{file.path}: ")))
                audio.seek(2 * start)
                audio.truncate()
            if progress is not None:
                progress(done, len(files))
        return indexed, skipped

    def _index(self, indexed: Sequence[_Indexed], skipped: list[tuple[str, str]]) -> dict[str, Any]:
        """The index as JSON has it; CorpusError when no file is left, or none for training."""
        if not indexed:
            first = f"; the first: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
            raise CorpusError(f"none of {len(skipped)} files can be used{first}")
        labels = self._labels([file.item for file in indexed])
        rows = _rows(indexed, self.splitter.assign([file.item for file in indexed]), labels, self.splitter.parts)
        if not any(row[-1] == SPLITS[0] for row in rows):
            raise CorpusError("the split leaves no files for training")
        total = sum(file.length for file in indexed)
        index = {"version": VERSION, "fingerprint": self.fingerprint, "rate": self.rate, "samples": total}
        return index | {"labels": labels, "files": rows, "skipped": skipped}

    def _labels(self, items: Sequence[Item]) -> list[tuple[str, list[str]]]:
        """The chosen keys with the values that the items have, without keys that have none."""
        keys = self.labeller.chosen
        labels = [(key, sorted({i.values[key] for i in items if i.values.get(key)}, key=natural)) for key in keys]
        return [(key, values) for key, values in labels if values]


def _rows(
    indexed: Sequence[_Indexed],
    splits: Sequence[str],
    labels: Sequence[tuple[str, list[str]]],
    parts: Sequence[str],
) -> list[list[Any]]:
    """The index's rows: name, first sample, samples, label ids, split.

    Where a single file is for training and none for validation its last tenth is for that, if that is of the `parts`.
    """
    rows: list[list[Any]] = []
    single = splits.count(SPLITS[0]) == 1 and "validation" not in splits and "validation" in parts
    for file, split in zip(indexed, splits, strict=True):
        item, start, length = file.item, file.start, file.length
        ids = [1 + values.index(item.values[key]) if item.values.get(key) else 0 for key, values in labels]
        if single and split == SPLITS[0]:
            tail = max(1, length // 10)
            rows.append([item.name, start, length - tail, ids, "train"])
            rows.append([item.name, start + length - tail, tail, ids, "validation"])
        else:
            rows.append([item.name, start, length, ids, split])
    return rows
