"""The one way to open a .syn file: the format that it has is asked for here alone."""

from __future__ import annotations

from synth.codec.container_file import ContainerFile
from synth.codec.header import PARAMETRIC_START
from synth.codec.syn_file import SynFile
from synth.common.input_file import InputFile


def open_syn(
    source: InputFile,
    name: str,
    *,
    seekable: bool = False,
    salvage: bool = False,
    threads: int = 1,
    checkpoint: str | None = None,
) -> SynFile:
    """The .syn file that `source`, of which nothing was read, gives; `name` is for errors.

    `seekable`: a part may be asked for, and facts; `source` must be seekable then. `salvage`: what is damaged becomes
    silence, and is reported in `damages`. `checkpoint`: a name or path where the one that the file needs may be, beside
    those that come with synth. Raises CodecError for what is no .syn file.
    """
    if source.peek(len(PARAMETRIC_START)) == PARAMETRIC_START:
        from synth.codec.parametric.parametric_file import ParametricFile

        return ParametricFile(source, name, salvage=salvage, checkpoint=checkpoint)
    return ContainerFile(source, name, seekable=seekable, salvage=salvage, threads=threads, checkpoint=checkpoint)
