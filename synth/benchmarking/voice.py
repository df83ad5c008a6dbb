"""Rows of a voice: its streams from labels to sound, and where their time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event

import numpy as np

from synth import engine
from synth.benchmarking import timing
from synth.benchmarking.rows import Row, against, file, forced, native, start
from synth.common import threads as parallel
from synth.common.typing import Int32
from synth.engine.config import SamplingConfig
from synth.generation import checkpoint
from synth.generation.stream import Stream
from synth.generation.together import pcm_together
from synth.generation.voice import Voice
from synth.generation.voice_stream import VoiceStream
from synth.vocoder import bed_tables, note_tables
from synth.vocoder.bed import TonalBed, TonalFrames
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_bed import NoteBed

BED_LEVEL = -8192
"""Of all harmonics of the bed that is measured."""
_LISTENERS = 20
"""Streams that are read in small blocks."""
_FRAMES = 25
"""Token frames that are drawn in a call: half a second."""


def measure(loaded: checkpoint.Checkpoint, cores: int) -> Iterator[Row]:
    """All rows of a voice, from whole streams to its parts; the sound comes from its planner, or of one without from
    latents that are all alike.
    """
    model = Voice(loaded)
    whole = _streams("one stream, one thread", model, 1)
    yield whole
    if model.engine.name == "native":
        for count in (2, 8):
            yield against(whole, _streams(f"{count} streams, one thread", model, count))
        yield against(whole, _threads(model, cores))
        yield against(whole, _blocks(model, cores))
        yield _first(model)
    for row in _parts(model):
        yield against(whole, row)
    if model.engine.name == "native":
        for name in engine.instruction_sets():
            with forced(name):
                yield _streams(f"one stream, {name}", Voice(loaded), 1)
    if _plans(model):
        yield against(whole, file(model))
        yield start(model)


def _plans(model: Voice) -> bool:
    return model.runtime.planner is not None


def _stream(model: Voice, seed: int) -> Stream:
    """A stream as `generate-audio` draws it, or along latents that are all alike where nothing plans."""
    if _plans(model):
        return model.start(SamplingConfig(), seed=seed)
    latents = np.zeros((1, model.runtime.vocoder.config.latent), np.int64)
    return model.follow((latents for _ in iter(int, 1)), seed=seed)


def _count(model: Voice) -> int:
    """Samples of a call: the reference engine makes about a thousand a second."""
    return (_FRAMES if model.engine.name == "native" else 1) * model.sample_rate // 50


def _streams(title: str, model: Voice, streams: int) -> Row:
    """Whole streams, several together on one thread."""
    count = _count(model)
    drawn = [_stream(model, seed) for seed in range(streams)]
    speeds = timing.measure(lambda: pcm_together(drawn, count), streams * count)
    return native(title, speeds, streams, 1, model.engine)


def _threads(model: Voice, threads: int) -> Row:
    """Pairs of whole streams, a pair a thread."""
    pairs = [[_stream(model, 2 * k + seed) for seed in range(2)] for k in range(threads)]
    count = 2 * _count(model)

    def draw() -> None:
        parallel.each(lambda pair: pcm_together(pair, count), pairs, threads, Event())

    title = f"{2 * threads} streams, {threads} threads"
    return native(title, timing.measure(draw, 2 * threads * count), 2 * threads, threads, model.engine)


def _blocks(model: Voice, threads: int) -> Row:
    """Streams in blocks of a token frame, dealt to threads that read them in turn, as if somebody listened to each."""
    hop, turns = model.runtime.vocoder.hop, 10
    groups = [[_stream(model, seed) for seed in range(k, _LISTENERS, threads)] for k in range(threads)]

    def read(group: list[Stream]) -> None:
        for _ in range(turns):
            for stream in group:
                stream.pcm(hop)

    title = f"{_LISTENERS} streams in blocks of 20 ms, {threads} threads"
    speeds = timing.measure(lambda: parallel.each(read, groups, threads, Event()), _LISTENERS * turns * hop)
    return native(title, speeds, _LISTENERS, threads, model.engine)


def _first(model: Voice) -> Row:
    """A stream made, its first 20 ms read: what it looks ahead for is planned and drawn too."""
    hop = model.runtime.vocoder.hop
    speeds = timing.measure(lambda: _stream(model, 1).pcm(hop), hop)
    row = native("a stream made, its first 20 ms", speeds, 1, 1, model.engine)
    return {**row, "milliseconds": 1000 * hop / row["samples_per_second"]}


def _parts(model: Voice) -> Iterator[Row]:
    """Each part of a voice, in samples of sound a second."""
    stream = _stream(model, 1)
    assert isinstance(stream, VoiceStream)
    stream.pcm(_count(model))
    yield from _parts_within(model, stream) if stream.part_seconds() else _parts_apart(model)


def _parts_within(model: Voice, stream: VoiceStream) -> Iterator[Row]:
    """What each part takes of a stream in C++, which times them; `share`: of the stream's time."""
    count = 4 * _count(model)
    rounds: dict[str, list[float]] = {name: [] for name in stream.part_seconds() if name in _present(model)}
    whole = 0.0
    for _ in range(timing.REPEATS):
        before, began = stream.part_seconds(), time.perf_counter()
        stream.pcm(count)
        whole += time.perf_counter() - began
        after = stream.part_seconds()
        for name, taken in rounds.items():
            taken.append(max(after[name] - before[name], 1e-9))
    for name, taken in rounds.items():
        row = native(f"its {name} alone", [count / seconds for seconds in taken], 1, 1, model.engine)
        yield {**row, "share": sum(taken) / whole}
    from synth.engine.native import NativeEngine  # needs the compiled kernel, which is here where parts are timed

    network, state = model.engine, model.engine.state(1)
    assert isinstance(network, NativeEngine)
    speeds = timing.measure(lambda: network.product(state, 1 << 10), 1 << 10)
    yield native("its recurrent product alone", speeds, 1, 1, model.engine)


def _present(model: Voice) -> set[str]:
    """The parts that a voice has."""
    runtime = model.runtime
    parts = {"planner": runtime.planner, "bed": runtime.bed, "postfilter": runtime.envelope}
    return {"conditioner", "network", *(name for name, part in parts.items() if part is not None)}


def _parts_apart(model: Voice) -> Iterator[Row]:
    """Each part by itself, where Python leads them."""
    runtime = model.runtime
    hop, count = runtime.vocoder.hop, _count(model)
    if runtime.planner is not None:
        source = runtime.plan(SamplingConfig(), 1, [(0, (0,) * len(model.labels))], None).source
        frames = iter(range(1 << 40))
        planned = timing.measure(lambda: [source.next(next(frames)) for _ in range(count // hop)], count // hop * hop)
        yield native("its planner alone", planned, 1, 1, model.engine)
    latents = np.zeros((count // hop + 4, runtime.vocoder.config.latent), np.int64)
    conditioned = timing.measure(lambda: runtime.vocoder.condition(latents, 2, 2 + count // hop), count // hop * hop)
    yield native("its conditioner alone", conditioned, 1, 1, model.engine)
    state = model.engine.state(1)
    state.conditioning = runtime.along(latents).vector_at(0)
    drawn = timing.measure(lambda: model.engine.generate(state, count, SamplingConfig()), count)
    yield native("its network alone", drawn, 1, 1, model.engine)
    if runtime.bed is not None:
        rendered = timing.measure(_bed(runtime.bed, runtime.vocoder.config, 2 * (count // hop)), count // hop * hop)
        yield native("its bed alone", rendered, 1, 1, model.engine)
    if runtime.envelope is not None and (postfilter := runtime.postfilter()) is not None:
        target, samples = (
            runtime.envelope.target_mel(latents, 2, 2 + count // hop),
            np.zeros(count // hop * hop, np.int16),
        )
        at = iter(range(0, 1 << 40, 2 * (count // hop)))

        def filtered() -> None:
            postfilter.add_target(target, next(at))
            postfilter.push(samples)

        yield native("its postfilter alone", timing.measure(filtered, len(samples)), 1, 1, model.engine)


def _bed(bed: TonalBed | NoteBed, config: VocoderConfig, segments: int) -> Callable[[], Int32]:
    """What renders so many segments of a bed, all of whose harmonics, or every other of whose notes, sound."""
    if isinstance(bed, NoteBed):
        levels = np.full((segments + 1, config.notes), BED_LEVEL, np.int64)
        levels[:, ::2] -= note_tables.UNIT

        def rendered() -> Int32:
            frames = bed.frames(levels)
            return bed.render(frames, bed.advance(frames, bed.first_phases()))

        return rendered
    still = np.full(segments + 1, bed_tables.QUARTERS, np.int64)
    levels = np.full((segments + 1, config.tones), BED_LEVEL, np.int64)
    tonal = TonalFrames(still, levels, np.full(segments + 1, bed_tables.UNIT, np.int64))
    return lambda: bed.render(tonal, 0)
