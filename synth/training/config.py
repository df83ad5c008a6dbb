"""How two-tier networks and classifiers train: frozen, validated schedules, which run.json holds."""

from __future__ import annotations

from dataclasses import dataclass

from synth.common.errors import require


@dataclass(frozen=True)
class GeneratorTrainConfig:
    """How a run trains. `streams` of `span` samples a step, `windows` of `window` samples in each for the sample tier,
    the first `warmup` of them without loss; `steps` in all, one cosine from `rate` down; a validation every `every`.
    `begin`: the step at which a run that had ended goes on.
    `fine_steps`: quantisation-aware steps of an export. `density`: share of the blocks that remain of the
    matrices that every sample multiplies (see `synth.nn.sparsity`).
    """

    steps: int = 4000
    streams: int = 32
    span: int = 6144
    windows: int = 4
    window: int = 256
    warmup: int = 32
    rate: float = 3e-3
    every: int = 250
    fine_steps: int = 400
    seed: int = 0
    most_validation: int = 400_000
    density: float = 1.0
    begin: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "streams", "windows", "every"):
            require(1 <= getattr(self, name) <= 10_000_000, f"{name} {getattr(self, name)}: must be 1 or more")
        for name in ("fine_steps", "begin"):
            require(getattr(self, name) >= 0, f"{name} {getattr(self, name)}: must be 0 or more")
        require(
            self.span % 16 == 0 and self.window % 16 == 0 and self.warmup % 16 == 0, "spans must be multiples of 16"
        )
        require(self.warmup < self.window <= self.span, "warmup must be below window, window at most span")
        require(0 < self.rate < 1, f"rate {self.rate}: must be above 0, below 1")
        require(0 < self.density <= 1, f"density {self.density}: must be above 0, at most 1")


@dataclass(frozen=True)
class ClassifierTrainConfig:
    """How a classifier trains: `steps` of `batch` sounds, at most `longest` seconds of each; one cosine from `rate`
    down; a validation every `every`. `warp`: half of the sounds (all, when no target depends on the speaker) are
    played at speeds and pitches of 1/warp to warp. `noise`: share of the sounds that get noise. `mask`: widest stretch
    of bands and of frames that SpecAugment (arXiv 1904.08779) hides.
    """

    steps: int = 2500
    batch: int = 32
    longest: float = 1.0
    rate: float = 3e-3
    every: int = 250
    seed: int = 0
    warp: float = 1.25
    noise: float = 0.5
    mask: int = 6
    smoothing: float = 0.1
    dropout: float = 0.1
    most_validation: int = 2000
    begin: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every", "most_validation"):
            require(1 <= getattr(self, name) <= 10_000_000, f"{name} {getattr(self, name)}: must be 1 or more")
        require(self.begin >= 0, f"begin {self.begin}: must be 0 or more")
        require(0.1 <= self.longest <= 60, f"longest {self.longest}: must be 0.1 to 60")
        require(0 < self.rate < 1, f"rate {self.rate}: must be above 0, below 1")
        require(1 <= self.warp <= 2, f"warp {self.warp}: must be 1 to 2")
        require(0 <= self.mask <= 64, f"mask {self.mask}: must be 0 to 64")
        require(0 <= self.noise <= 1, f"noise {self.noise}: must be 0 to 1")
        for name in ("smoothing", "dropout"):
            require(0 <= getattr(self, name) < 1, f"{name} {getattr(self, name)}: must be 0 to below 1")
