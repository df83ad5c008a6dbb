"""What `synth info` tells: the checkpoints that are here, what one of them is, and which engine runs them."""

from __future__ import annotations

import os
from typing import Any

from synth import engine
from synth.checkpoint import format, registry
from synth.codec.header import MAGIC
from synth.common import files, input_file
from synth.common.errors import CheckpointError, SynthError
from synth.engine.layout import block_density
from synth.generation import checkpoint
from synth.recognition import classifier

MOST_SHOWN = 16
"""Numbers of a list that lines for people show; --json has all."""
Told = tuple[dict[str, Any], list[str], list[SynthError]]


def overview() -> Told:
    """Every bundled checkpoint in a line; those that can't be loaded are told as failures."""
    entries, failures = [], []
    for name in registry.names():
        try:
            path, data = registry.read(name)
            known = format.is_classifier(data)
            entries.append(_heard(classifier.from_bytes(path, data)) if known else _summary(checkpoint.load(name)))
        except SynthError as error:
            failures.append(error)
    rows = [["name", "checkpoint", "kind", "rate", "bits a sample", "licence", "labels"]]
    for entry in entries:
        keys = ", ".join(f"{key} ({len(values)})" for key, values in entry["labels"].items())
        shown = _plain(_main_bits(entry.get("bits_per_sample")) or "-")
        named = [entry["stands_for"] or "-", entry["name"], entry["kind"]]
        rows.append([*named, f"{entry['sample_rate']} Hz", shown, str(entry["licence"] or "-"), keys or "none"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    running, shown_running = _running()
    return {"checkpoints": entries, **running}, [*lines, *shown_running], failures


def of(name: str) -> Told:
    """What a name is of: a .syn file, or - for one on standard input, or a checkpoint."""
    if name == files.STDOUT or name.lower().endswith(".syn"):
        return compressed(name)
    start = b""
    if os.path.isfile(name):
        with input_file.open_input(name) as source:
            start = source.read(9)
    if start.startswith(MAGIC):
        return compressed(name)
    if start and start[8:] != b"{" and not name.lower().endswith(registry.SUFFIX):
        raise CheckpointError(f"{name}: is neither a checkpoint nor a .syn file")
    return details(name)


def details(name: str) -> Told:
    """One checkpoint: where it is, its network, its card, what a sample costs."""
    path, bytes_ = registry.read(name)
    if format.is_classifier(bytes_):
        return _classifier(classifier.from_bytes(path, bytes_))
    loaded = checkpoint.load(name)
    running, lines_running = _running()
    sizes = {
        "parameters": sum(int(tensor.size) for name, tensor in loaded.tensors.items() if not name.startswith("table.")),
        "multiply_accumulates": _network_work(loaded),
        "predictor_multiply_accumulates": _predictor_work(loaded),
    }
    config = loaded.config.to_json()
    data = {**_summary(loaded), "path": str(loaded.path), "config": config, "info": loaded.info, **sizes, **running}
    lines = [f"{loaded.name}: {loaded.path}", f"kind: {data['kind']}", f"sha256: {loaded.sha256}"]
    lines += [f"{key}: {value}" for key, value in config.items() if key != "labels"]
    lines += [f"label {key}: {', '.join(values)}" for key, values in loaded.config.labels.items()]
    if loaded.voice is not None:
        data["voice"] = loaded.voice.to_json()
        lines += [f"voice, {name}: {_plain(value)}" for name, value in data["voice"].items()]
    lines += [f"{key}: {_plain(value)}" for key, value in loaded.info.items()]
    lines.append(f"parameters: {sizes['parameters']}")
    network, predictor = sizes["multiply_accumulates"], sizes["predictor_multiply_accumulates"]
    lines.append(f"multiply-accumulates a sample: {network:g} in the network, {predictor:g} in the predictor")
    return data, [*lines, *lines_running], []


def compressed(path: str) -> Told:
    """What is in a .syn file, without decoding it."""
    from synth.codec.opened import open_syn

    with input_file.open_input(path, whole=True) as source:
        data = open_syn(source, path, seekable=True).facts()
    return data, [f"{key}: {_plain(value)}" for key, value in data.items()], []


def _summary(loaded: checkpoint.Checkpoint) -> dict[str, Any]:
    return {
        "name": loaded.name,
        "kind": registry.kind_of(loaded.path),
        "stands_for": registry.stands_for(loaded.name),
        "sample_rate": loaded.config.sample_rate,
        "labels": {key: list(values) for key, values in loaded.config.labels.items()},
        "licence": loaded.info.get("licence"),
        "bits_per_sample": loaded.info.get("bits_per_sample"),
        "sha256": loaded.sha256,
    }


def _heard(loaded: classifier.Classifier) -> dict[str, Any]:
    return {
        "name": loaded.name,
        "kind": "classifier",
        "stands_for": registry.stands_for(loaded.name),
        "task": "classify",
        "sample_rate": loaded.sample_rate,
        "labels": {target.name: list(target.values) for target in loaded.targets},
        "licence": loaded.info.get("licence"),
        "accuracy": loaded.info.get("accuracy"),
        "sha256": loaded.sha256,
    }


def _classifier(loaded: classifier.Classifier) -> Told:
    """A classifier: where it is, its network, its card."""
    config = loaded.config.to_json()
    size = sum(int(tensor.size) for tensor in loaded.tensors.values())
    data = {**_heard(loaded), "path": str(loaded.path), "config": config, "info": loaded.info, "parameters": size}
    lines = [f"{loaded.name}: {loaded.path}", f"sha256: {loaded.sha256}", "task: classify"]
    lines += [f"{key}: {value}" for key, value in config.items() if key != "targets"]
    lines += [f"target {target.name} ({target.kind}): {', '.join(target.values)}" for target in loaded.targets]
    lines += [f"{key}: {_plain(value)}" for key, value in loaded.info.items()]
    return data, [*lines, f"parameters: {size}"], []


def _main_bits(bits: Any) -> Any:
    """Of the card's several figures the one that models are compared by."""
    return (
        next((bits[name] for name in ("test", "validation") if name in bits), None) if isinstance(bits, dict) else bits
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list) and len(value) > MOST_SHOWN and not any(isinstance(item, str) for item in value):
        return f"{len(value)} numbers"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def _network_work(loaded: checkpoint.Checkpoint) -> float:
    """Products of weights that one sample takes: a frame's shared by its samples, 8 of the tree's 255 rows."""
    shared = sum(int(loaded.tensors[f"frame.{name}.weight"].size) for name in ("input", "recurrent", "output"))
    matrices = [loaded.tensors[f"{name}.weight"] for name in ("sample.recurrent", "head.dense")]
    own = sum(matrix.size * block_density(matrix) for matrix in matrices)
    return shared / loaded.config.hop + own + 8 * loaded.config.head_units


def _predictor_work(loaded: checkpoint.Checkpoint) -> float:
    """Products of doubles a sample: predicting, and a share of a frame's gathering and solving (half a matrix each)."""
    order, hop = loaded.config.order, loaded.config.hop
    if loaded.config.kind == "corrector":  # it has none of its own
        return 0
    if loaded.voice is not None:  # its weights are given, as reflection coefficients
        return order + order * (order - 1) / 2 / hop
    gather = hop * (order * (order + 1) // 2 + 2 * order)
    solve = sum((order - 1 - j) * (order - j) // 2 for j in range(order)) + 2 * order * (order - 1)
    return order + (gather + solve) / hop


def _running() -> tuple[dict[str, Any], list[str]]:
    """The engine in use and the instruction sets of this machine; EngineError when SYNTH_ISA asks for another."""
    sets, chosen = engine.instruction_sets(), "numpy"
    if sets:
        from synth.engine import native

        chosen = native.chosen_set()
    data = {"engine": "native" if sets else "reference", "instruction_set": chosen, "instruction_sets": sets}
    return data, [f"engine: {data['engine']}, instruction set {chosen}; available: {', '.join(sets) or 'none'}"]
