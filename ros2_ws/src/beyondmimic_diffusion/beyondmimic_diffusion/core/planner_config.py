"""How plans are made: what an operator may choose."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError
from .parameters import param, validate

MODES = ("policy", "scratch", "rolling", "warm_start")
SCHEDULES = ("constant", "signal")
OWN = -1
"""Stands for the policy's own value where a parameter must be a number."""


@dataclass(frozen=True)
class PlannerConfig:
    """How plans are made; read once at activation."""

    mode: str = param(
        "policy", choices=MODES, doc="From scratch, by rolling inference or from a warm start; 'policy': its own."
    )
    passes: int = param(
        OWN, lo=-1, hi=20, doc="Network calls per plan, at least 1; -1: the policy's own number, fewer over budget."
    )
    reopen_level: int = param(OWN, lo=-1, hi=19, doc="Level at which kept states re-open; -1: the policy's own.")
    guidance_scale: float = param(
        float(OWN), lo=-1.0, hi=20.0, doc="Factor on all guidance, 0.0: unguided; -1.0: the policy's own.", live=True
    )
    guidance_schedule: str = param(
        "constant", choices=SCHEDULES, doc="Guidance alike at all passes, or in proportion to the signal left."
    )
    guidance_lowest_level: int = param(
        0, lo=0, hi=19, doc="Passes below this noise level are not guided: they only clean up."
    )
    latency: float = param(
        0.02,
        unit="s",
        lo=0.0,
        hi=0.2,
        doc="Age a plan's observation has when the plan reaches the executor; set-points due earlier are promised.",
    )
    foresight: bool = param(
        True, doc="Plans with more latency than a token start where physics says that the robot will be; false: commit."
    )
    seed: int = param(0, lo=0, hi=2**31 - 1, doc="Seed of the plans' noise: same seed, same observations, same plans.")
    method: str = param("policy", choices=("policy", "ddim", "ddpm"), doc="Sampler step; 'policy': its own.")

    def __post_init__(self) -> None:
        validate(self)
        if self.passes == 0:
            raise ConfigError("passes is 0; give at least 1, or -1 for the policy's own number")
        if OWN < self.guidance_scale < 0.0:
            raise ConfigError(
                f"guidance_scale is {self.guidance_scale}; give 0.0 (unguided) or more, or -1.0 for the policy's own"
            )
