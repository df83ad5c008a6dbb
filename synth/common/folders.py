"""The files below a folder, whatever links, locked folders, companions of macOS and trash are in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

Wanted = Callable[[str], bool]
_TRASH = re.compile(
    r"\.Trash(es|-\d+)?|\$RECYCLE\.BIN|RECYCLE[RD]|#recycle|@Recycle|\.recycle|System Volume Information"
    r"|\.(Spotlight-V100|fseventsd|TemporaryItems|DocumentRevisions-V100)|__MACOSX|@eaDir",
    re.IGNORECASE,
)
"""Folders of what was thrown away, and those that operating systems and disk stations keep for themselves."""
_COMPANION = (b"\0\5\x16\7", b"\0\5\x16\0")
"""How AppleDouble and AppleSingle begin, which macOS writes as ._NAME beside NAME on foreign disks."""


@dataclass
class FolderFiles:
    """What `list_files` meets below a folder; all paths begin with the folder's.

    `files`: the wanted ones, in the order of their names. `unreadable`: of each place that can't be looked into its
    path and why. `notes`: a line for each thing that was passed over on purpose.
    """

    files: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_files(top: str, wanted: Wanted, enter: Wanted = lambda path: True) -> FolderFiles:
    """The files below `top`, to the bottom, whose names are `wanted`; folders whose paths `enter` refuses are left out.

    Links to files count as files. Links to folders are followed, but not to one that is walked anyway, or that the walk
    is in: a note says so. Passed over, with a note, are folders of trash and the companions ._NAME of macOS.
    """
    walk = _Walk(wanted, enter)
    walk.go(top)
    walk.result.files.sort()
    walk.result.unreadable.sort()
    return walk.result


class _Walk:
    """The walk of one folder: real folders first, then the links, so that a file has its own name where it has one."""

    def __init__(self, wanted: Wanted, enter: Wanted) -> None:
        self._wanted, self._enter = wanted, enter
        self._walked: dict[tuple[int, int], str] = {}
        self._links: list[str] = []
        self.result = FolderFiles()

    def go(self, top: str) -> None:
        """Walks `top`, then what links lead to, each folder once."""
        self._walk_real(top)
        while self._links:
            link = self._links.pop(0)
            other = self._walked.get(_identity(link) or (0, 0))
            if _is_around(link, top):
                self.result.notes.append(f"{link}: is not followed, since it leads to a folder that it is in")
            elif other is not None:
                self.result.notes.append(f"{link}: leads to {other}, whose files are taken there")
            else:
                self._walk_real(link)

    def _walk_real(self, top: str) -> None:
        """Walks the folder `top`, without the links to folders in it, which are kept for later."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                self.result.unreadable.append((folder, f"can't be read ({error.strerror or error})"))
                continue
            if (identity := _identity(folder)) is not None:
                self._walked[identity] = folder
            waiting += [entry.path for entry in entries if self._is_folder(entry)]

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is a folder to walk; what it is otherwise is dealt with."""
        try:
            linked, folder = entry.is_symlink(), entry.is_dir()
        except PermissionError as error:  # of what a link leads to
            self.result.unreadable.append((entry.path, f"can't be read ({error.strerror})"))
            return False
        except OSError:  # a link to itself
            linked, folder = True, False
        if not folder:
            self._take_file(entry, linked)
        elif _TRASH.fullmatch(entry.name):
            self.result.notes.append(f"{entry.path}: is passed over as a folder of trash or of the system's own files")
        elif self._enter(entry.path):
            if not linked:
                return True
            self._links.append(entry.path)
        return False

    def _take_file(self, entry: os.DirEntry[str], linked: bool) -> None:
        """Takes a file that is wanted; one that can't be opened too, for whoever reads it to say so."""
        if not self._wanted(entry.name):
            if linked and not os.path.exists(entry.path):
                self.result.notes.append(f"{entry.path}: is a link that leads nowhere")
        elif entry.name.startswith("._") and _is_companion(entry.path):
            self.result.notes.append(f"{entry.path}: is passed over as a companion file of macOS, which holds no sound")
        else:
            self.result.files.append(entry.path)


def _identity(path: str) -> tuple[int, int] | None:
    """What two names of one folder have in common; None where the system doesn't tell."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_around(link: str, top: str) -> bool:
    """Whether a link leads to a folder that it is in, or that `top` is in."""
    target = os.path.join(os.path.realpath(link), "")
    return any(os.path.join(os.path.realpath(place), "").startswith(target) for place in (os.path.dirname(link), top))


def _is_companion(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(4) in _COMPANION
    except OSError:
        return False
