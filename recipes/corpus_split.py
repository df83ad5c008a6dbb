"""Which recordings of a corpus are for testing, which for validation; all else is trained on."""

from __future__ import annotations

from pathlib import Path

SPLITS = {0: "test", 1: "validation"}


def split_corpus(folder: Path) -> list[tuple[Path, str]]:
    """The FLAC files of a corpus by name, each with its split: "test", "validation" or "train".

    fsdd-8k by take (0 to 4, 5 and 6, the rest), kathleen by prompt and callie by file (of every 20 the first,
    the second, the rest), speechocean by speaker and other corpora by file (of every 10). Raises
    SystemExit where there are no files.
    """
    paths = sorted(folder.glob("*.flac"))
    if not paths:
        raise SystemExit(f"{folder}: holds no .flac files")
    if folder.name == "fsdd-8k":
        takes = (int(path.stem.split("_")[-1]) for path in paths)
        names = ["test" if take < 5 else "validation" if take < 7 else "train" for take in takes]
    elif folder.name.startswith("kathleen"):
        keys = [path.stem.rpartition("_")[0] for path in paths]
        prompts = {key: place for place, key in enumerate(sorted(set(keys)))}
        names = [SPLITS.get(prompts[key] % 20, "train") for key in keys]
    elif folder.name.startswith("callie"):
        names = [SPLITS.get(place % 20, "train") for place in range(len(paths))]
    elif folder.name.startswith("speechocean"):
        speakers = {number: place for place, number in enumerate(sorted({path.stem[:5] for path in paths}))}
        names = [SPLITS.get(speakers[path.stem[:5]] % 10, "train") for path in paths]
    else:
        names = [SPLITS.get(place % 10, "train") for place in range(len(paths))]
    return list(zip(paths, names, strict=True))
