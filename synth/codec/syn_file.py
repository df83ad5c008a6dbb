"""What a .syn file that is open for reading can do, whichever of the two formats it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import IO, Any

from synth.common import new_file, permissions
from synth.common.typing import AnyArray

Tick = Callable[[int], Any]
"""Called with the number of frames that were decoded since the last call."""


def no_tick(frames: int) -> None:
    """A Tick for calls that show no progress."""


class SynFile(ABC):
    """A .syn file; `open_syn` makes one. Its methods raise CodecError and CheckpointError, with the file's name.

    `damages` says, after decoding with salvage, what was damaged and what stands in its place.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.damages: list[str] = []

    @property
    @abstractmethod
    def kind(self) -> str:
        """The kind of sound file that decoding writes: wav, aiff or flac."""

    @property
    @abstractmethod
    def name_suffix(self) -> str:
        """The end of the name that the sound file had, like ".wav"."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the sound."""

    @property
    @abstractmethod
    def rate(self) -> int:
        """Sample rate in Hz."""

    @property
    @abstractmethod
    def checkpoint_digest(self) -> bytes:
        """The digest of the checkpoint that decoding needs; empty for none."""

    @abstractmethod
    def limit(self, start: float | None, end: float | None) -> None:
        """Decode what is from `start` to `end` (seconds; None: the sound's own) alone; CodecError if that is nothing.

        The file must have been opened as seekable.
        """

    @abstractmethod
    def decode(self, write: Callable[[bytes], Any], tick: Tick = no_tick) -> int:
        """Write the sound file through `write`; the frames of it."""

    @abstractmethod
    def array(self) -> AnyArray:
        """The samples, (frames,) for one channel, else (frames, channels), in the type that the sound had."""

    @abstractmethod
    def verify(self, tick: Tick = no_tick) -> int:
        """Check all checksums, decoding what they cover; the frames of the sound."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `synth info` reports, without decoding; the file must have been opened as seekable."""

    @abstractmethod
    def check_output(self, name: str) -> None:
        """OutputError unless the sound fits into a file; `name` is the output's."""

    def decode_to(
        self,
        out: str | IO[bytes],
        *,
        force: bool = False,
        tick: Tick = no_tick,
        like: Iterable[permissions.Source] = (),
    ) -> int:
        """Write the sound file to a path, which it replaces with `force` alone, or a binary file; the frames of it.

        `like`: the .syn file, for the permissions of the new one.
        """
        self.check_output(out if isinstance(out, str) else self.name)
        with new_file.open_output(out, force, like) as (write, _):
            return self.decode(write, tick)
