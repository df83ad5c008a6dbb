"""The folder of a training run: its lock, options, state. Everything is written beside its place and renamed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from synth.common.errors import RunError
from synth.common.new_file import write_whole
from synth.common.typing import Tensors
from synth.data.corpus import AUDIO, INDEX

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Of a disk that takes nothing more."""


class RunFolder:
    """`with RunFolder(path) as run:` makes the folder if needed and holds its lock (flock): one process trains.

    Of a run that could not begin nothing stays: its lock and cache go again, and the folder if it was made for it.
    """

    def __init__(self, path: str | os.PathLike[str], lock: bool = True) -> None:
        self.path = Path(path)
        self.locks = lock
        self._lock: IO[str] | None = None
        self._is_new = False
        self._before: set[str] = set()

    def __enter__(self) -> RunFolder:
        if not self.locks:
            return self
        try:
            with suppress(FileExistsError):
                self.path.mkdir()
                self._is_new = True
            self._before = set(os.listdir(self.path))
            self._lock = open(self.path / "lock", "w")
        except OSError as error:
            raise RunError(f"{self.path}: can't be used as a run folder ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise RunError(f"{self.path}: another process is training in this folder") from None
        return self

    def __exit__(self, *_: object) -> None:
        if not self._lock:
            return
        if not self.started:
            self._remove_begun()
        self._lock.close()

    def _remove_begun(self) -> None:
        """Removes what was not there before."""
        if "cache" not in self._before:
            shutil.rmtree(self.path / "cache", ignore_errors=True)
        if "lock" not in self._before:
            with suppress(OSError):
                (self.path / "lock").unlink()
        if self._is_new:
            with suppress(OSError):
                self.path.rmdir()

    def check_unused(self) -> None:
        """RunError for a folder with anything of other people's in it: sounds and a run don't mix.

        What a run leaves that was killed before it began, and names that begin with a dot, are no hindrance.
        """
        own = {"lock"}
        with suppress(OSError):
            if set(_visible(os.listdir(self.path / "cache"))) <= {AUDIO, INDEX}:
                own.add("cache")
        others = sorted(set(_visible(self._before)) - own)
        if others:
            raise RunError(f"{self.path}: holds other files ({others[0]}); a run needs a new or an empty folder")

    @contextmanager
    def kept_if_it_begins(self) -> Iterator[None]:
        """Within it an error takes the options of a run back that was begun just now."""
        try:
            yield
        except Exception:
            if self._lock and "run.json" not in self._before:
                (self.path / "run.json").unlink(missing_ok=True)
            raise

    @contextmanager
    def full_disks_named(self) -> Iterator[None]:
        """Within it a disk that is full, or no longer takes anything, is a RunError that names the folder."""
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise RunError(
                f"{self.path}: {error.strerror}; the last saved state is whole: make room, then --resume goes on"
            ) from None

    @property
    def started(self) -> bool:
        """Whether a run has been begun here."""
        return (self.path / "run.json").exists()

    @property
    def cache(self) -> Path:
        """Where the corpus's cache is: in the folder, or beside it, for a stage of a run that has several."""
        own, shared = self.path / "cache", self.path.parent / "cache"
        return shared if not own.is_dir() and (shared / INDEX).is_file() else own

    def write_options(self, options: dict[str, Any]) -> None:
        """Keep the run's options (run.json)."""
        write_whole(self.path / "run.json", (json.dumps(options, indent=1) + "\n").encode())

    def options(self) -> dict[str, Any]:
        """The run's options; RunError when this folder holds no run."""
        try:
            return dict(json.loads((self.path / "run.json").read_text()))
        except FileNotFoundError:
            raise RunError(f"{self.path}: no run in this folder (run.json is missing)") from None
        except (ValueError, OSError, TypeError):
            raise RunError(f"{self.path / 'run.json'}: can't be read as a run's options") from None

    def save(self, name: str, arrays: Tensors, info: dict[str, Any]) -> None:
        """Write `name`.safetensors: arrays and a JSON `info`."""
        contiguous = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        write_whole(self.path / f"{name}.safetensors", to_bytes(contiguous, {"info": json.dumps(info)}))

    def load_best(self) -> tuple[Tensors, dict[str, Any]]:
        """The weights of the best validation, or where there was none yet the last state."""
        return self.load("best" if (self.path / "best.safetensors").exists() else "last")

    def load(self, name: str) -> tuple[Tensors, dict[str, Any]]:
        """What `save` wrote; RunError when it is missing or damaged."""
        path = self.path / f"{name}.safetensors"
        try:
            with safe_open(path, "numpy") as file:
                info = json.loads((file.metadata() or {})["info"])
                names = file.keys()
                return {name: file.get_tensor(name) for name in names}, info
        except FileNotFoundError:
            raise RunError(f"{path}: missing; this run saved no state yet, start it again without --resume") from None
        except (SafetensorError, KeyError, ValueError, OSError):
            raise RunError(f"{path}: damaged; can't go on from it") from None

    def log(self, record: dict[str, Any]) -> None:
        """Append a line to log.jsonl."""
        with open(self.path / "log.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """What was logged so far; a line that a crash cut short is left out."""
        try:
            lines = (self.path / "log.jsonl").read_text().splitlines()
        except OSError:
            return []
        records = []
        for line in lines:
            try:
                records.append(dict(json.loads(line)))
            except ValueError:
                continue
        return records

    def trim_log(self, step: int) -> None:
        """Forget records after `step`: a resumed run makes them again."""
        kept = [json.dumps(record) + "\n" for record in self.records() if record.get("step", 0) <= step]
        write_whole(self.path / "log.jsonl", "".join(kept).encode())


def _visible(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


def without_paths(user_options: dict[str, Any]) -> dict[str, Any]:
    """The options that a run was made with, for a card: no corpora, and of files their names alone."""
    kept = {key: value for key, value in user_options.items() if key != "corpora"}
    for key in ("split", "labels", "vocoder"):
        if isinstance(kept.get(key), str) and os.path.isfile(kept[key]):
            kept[key] = os.path.basename(kept[key])
    return kept
