"""Files that earlier versions wrote decode to what they were made of, and this version writes the same files."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from frozen import make

from synth import engine
from synth.codec import encoder, sources

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")
KNOWN = {line.split()[1]: line.split()[0] for line in make.DIGESTS.read_text().splitlines()}


def test_all_files_are_listed() -> None:
    assert {path.name for path in Path(make.HERE).glob("*.syn")} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("chosen", [engine.instruction_sets()[0], engine.instruction_sets()[-1]])
def test_a_file_decodes_for_ever(name: str, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", chosen)
    assert hashlib.sha256(make.decoded((make.HERE / name).read_bytes())).hexdigest() == KNOWN[name]


def test_files_say_which_version_they_take() -> None:
    for name in KNOWN:
        assert (make.HERE / name).read_bytes()[3] == (int(name[0]) if name[1] == "-" else 1), name


def test_this_version_writes_the_same() -> None:
    for name, (file, options) in make.files().items():
        if name in make.OLDER:
            continue
        out = io.BytesIO()
        encoder.compress_stream(sources.open_sound(io.BytesIO(file), name, len(file)), out.write, **options)  # type: ignore[arg-type]
        assert out.getvalue() == (make.HERE / f"{name}.syn").read_bytes(), name
