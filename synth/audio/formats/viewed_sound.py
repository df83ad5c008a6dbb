"""libsndfile's decoders of views of files."""

from __future__ import annotations

from typing import Any

import soundfile

from synth.audio.formats.file_view import FileView


class ViewedSound(soundfile.SoundFile):
    """A sound that is read through a view, which it closes."""

    def __init__(self, view: FileView) -> None:
        self.view = view
        super().__init__(view)

    def close(self) -> None:
        """Closes the sound and what it reads."""
        super().close()
        self.view.close()


class SequentialSound(ViewedSound):
    """A sound that is read once from its begin: libsndfile is never told to seek.

    The library seeks after each read otherwise, by the numbers of FLAC's frames, which may be anything in a stream that
    was cut out of another or put together.
    """

    def seekable(self) -> bool:
        """No."""
        return False


def reason(error: Any) -> str:
    """What libsndfile says, in one line."""
    text = getattr(error, "error_string", None) or ("" if isinstance(error, soundfile.SoundFileError) else str(error))
    return " ".join(str(text).split()).rstrip(".") or "unknown error"
