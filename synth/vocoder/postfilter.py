"""A filter after a voice's network: makes the mel powers of its sound what the tokens say that they are.

A network that draws samples one after the other drifts: bands get fainter or louder than its conditioning asks for.
`FrameFilter` brings them back, as often as the voice says, since neighbouring frames move each other. Samples go in,
filtered samples come out later. What is computed is the same for blocks of any size.
"""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.typing import Int16, Int64, Tensors
from synth.vocoder.frame_filter import NEUTRAL, FrameFilter


class _Pass:
    """One pass over a stream: samples in at one end, filtered samples out at the other, later by half a transform."""

    def __init__(self, frame_filter: FrameFilter, start: int) -> None:
        self.filter = f = frame_filter
        self.frame = start // f.hop - 1  # the next to be filtered; the first that reaches `start`
        self.first = self.frame * f.hop - f.half
        self.samples = np.zeros(start - self.first, np.int16)  # from `first` on
        self.out = self.frame * f.hop - f.fft // 2
        self.total = np.zeros(f.fft, np.int64)  # from `out` on

    @property
    def end(self) -> int:
        """The index of the next sample that comes in."""
        return self.first + len(self.samples)

    def ready(self, more: int) -> int:
        """Frames that are complete with so many more samples."""
        return max(0, (len(self.samples) + more - self.filter.window) // self.filter.hop + 1)

    def push(self, samples: Int16, target: Int64, first: int) -> Int16:
        """The filtered samples that are complete after `samples`; `target` (frames, mels) from frame `first` on."""
        f = self.filter
        self.samples = np.concatenate([self.samples, samples])
        count = self.ready(0)
        if not count:
            return self.samples[:0]
        length = count * f.hop
        total = np.zeros(f.fft + length, np.int64)
        total[: f.fft] = self.total
        filtered = f.add(self.samples, target[self.frame - first :][:count], total, self.out)
        self.total, self.samples = total[length : length + f.fft], self.samples[length:]
        self.out, self.first, self.frame = self.out + length, self.first + length, self.frame + count
        return filtered

    def load(self, k: int, saved: Tensors, numbers: list[int]) -> None:
        """Becomes pass `k` of what `Postfilter.save` saved; EngineError when that is damaged."""
        f = self.filter
        self.frame, self.first, self.out = numbers
        self.samples = saved_array(saved, f"samples.{k}", "int16", (None,)).copy()
        self.total = saved_array(saved, f"total.{k}", "int64", (f.fft,)).copy()
        middle = self.frame * f.hop
        require_saved(self.first == middle - f.half and self.out == middle - f.fft // 2)
        require_saved(len(self.samples) < f.window)


class Postfilter:
    """The passes over one stream from sample `start` on, a multiple of the hop; samples before it are not asked for."""

    def __init__(self, frame_filter: FrameFilter, start: int) -> None:
        self.filter, self.start = frame_filter, start
        self._passes = [_Pass(frame_filter, start) for _ in range(frame_filter.passes)]
        self._target = np.zeros((0, frame_filter.mels), np.int64)
        self._first = self._passes[0].frame  # of the target

    def needed(self, position: int) -> int:
        """Samples, counted like `position`, that must be in so that all before `position` are out."""
        f = self.filter
        for _ in self._passes:
            position = (-(-(position + f.fft // 2) // f.hop) - 1) * f.hop + f.half
        return position

    def add_target(self, target: Int64, first: int) -> None:
        """Takes target levels (frames, mels) of 10 ms frames from `first` on, in order; gaps are neutral."""
        end = self._first + len(self._target)
        gap = np.full((max(0, first - end), self.filter.mels), NEUTRAL, np.int64)
        self._target = np.concatenate([self._target, gap, target[max(0, end - first) :]])

    def push(self, samples: Int16) -> Int16:
        """The filtered samples, int16, that are complete after the next samples, int16; from `start` on."""
        for stage in self._passes:
            self.add_target(self._target[:0], stage.frame + stage.ready(len(samples)))
            at = stage.out
            samples = stage.push(samples, self._target, self._first)
            samples = samples[max(0, self.start - at) :]
        drop = self._passes[-1].frame - self._first
        self._target, self._first = self._target[drop:], self._first + drop
        return samples

    @property
    def places(self) -> tuple[int, int]:
        """The index of the next sample that comes in, and of the next that goes out."""
        return self._passes[0].end, max(self.start, self._passes[-1].out)

    def copy(self) -> Postfilter:
        """One that goes on from here by itself."""
        return Postfilter.restored(self.filter, self.save())

    def save(self) -> Tensors:
        """Everything that `restored` needs to go on."""
        numbers = [self.start, self._first, *(n for p in self._passes for n in (p.frame, p.first, p.out))]
        saved: Tensors = {
            "numbers": np.array(numbers, np.int64),
            "levels": self._target.astype(np.int32),
        }
        for k, stage in enumerate(self._passes):
            saved |= {f"samples.{k}": stage.samples, f"total.{k}": stage.total}
        return saved

    @classmethod
    def restored(cls, frame_filter: FrameFilter, saved: Tensors) -> Postfilter:
        """The postfilter that `save` saved; EngineError when it is damaged or of another voice."""
        f = frame_filter
        numbers = [int(n) for n in saved_array(saved, "numbers", "int64", (2 + 3 * f.passes,))]
        target = saved_array(saved, "levels", "int32", (None, f.mels)).astype(np.int64)
        frames, end = numbers[2::3], numbers[0]
        require_saved(0 <= end < 1 << 62 and end % f.hop == 0 and frames == sorted(frames, reverse=True))
        require_saved(end // f.hop - 1 <= frames[-1] == numbers[1] and frames[0] <= numbers[1] + len(target))
        postfilter = cls(f, numbers[0])
        postfilter._first, postfilter._target = numbers[1], target
        for k, stage in enumerate(postfilter._passes):
            stage.load(k, saved, numbers[2 + 3 * k : 5 + 3 * k])
            require_saved(k == 0 or stage.end == end)
            end = max(postfilter.start, stage.out)  # so far the next one has had samples
        return postfilter
