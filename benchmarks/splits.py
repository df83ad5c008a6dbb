"""Which files of the corpora are for testing: the splits that all checkpoints were trained without."""

from __future__ import annotations

from pathlib import Path

FSDD_LABELS = "{digit}_{speaker}_{take}"
FSDD_SPLIT = "test:take=0-4;validation:take=5-6"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def flacs(folder: Path) -> list[Path]:
    """The sounds of a corpus by name; SystemExit where there are none."""
    paths = sorted(folder.glob("*.flac"))
    if not paths:
        raise SystemExit(f"{folder}: holds no .flac files")
    return paths


def fsdd(corpora: Path, takes: range) -> list[Path]:
    """Recordings of fsdd-8k by take: 0 to 4 are test, 5 and 6 validation."""
    return [path for path in flacs(corpora / "fsdd-8k") if int(path.stem.split("_")[2]) in takes]


def kathleen(corpora: Path, part: int, corpus: str = "kathleen-arctic-16k") -> list[Path]:
    """All recordings of every 20th prompt of kathleen by its id, from prompt `part` on: 0 is test, 1 validation."""
    paths = flacs(corpora / corpus)
    prompts = set(sorted({path.stem.rpartition("_")[0] for path in paths})[part::20])
    return [path for path in paths if path.stem.rpartition("_")[0] in prompts]


def every(corpora: Path, corpus: str, step: int, first: int = 0) -> list[Path]:
    """Every so many of a corpus's recordings by name, from the one at place `first` on."""
    return flacs(corpora / corpus)[first::step]
