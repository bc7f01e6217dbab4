"""The Stage 1 policies by name."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1

from .interface import Expert
from .walker import WalkerExpert

SKILL_IDS: dict[str, int] = {
    "fastsac_walker": 0,
    "ppo_walker": 1,
    "fastsac_dancer": 2,
    "ppo_dancer": 3,
}
"""Number written into each frame of a data set."""

_FILES = {
    "fastsac_walker": "loco/g1_29dof/fastsac_g1_29dof.onnx",
    "ppo_walker": "loco/g1_29dof/ppo_g1_29dof.onnx",
    "fastsac_dancer": "wbt/fastsac_g1_29dof_dancing.onnx",
    "ppo_dancer": "wbt/ppo_g1_29dof_dancing.onnx",
}


def make_expert(name: str) -> Expert:
    """Open a Stage 1 policy.

    Raises:
        ConfigError: There is no expert of that name.
        ArtifactError: The package that ships it is missing.
    """
    if name not in SKILL_IDS:
        raise ConfigError(f"there is no expert '{name}'; choose one of {sorted(SKILL_IDS)}")
    if name.endswith("_walker"):
        return WalkerExpert(name, _FILES[name], SKILL_IDS[name])
    from .tracker import TrackerExpert  # opened only when asked for: its files are 30 times larger

    # The FastSAC file carries no action scale; its network already puts out radians. Found by trial: with 1.0 it
    # dances; with BeyondMimic's 0.25 effort / kp, which the PPO file needs, it falls within 5 s.
    scale = np.ones(g1.NUM_JOINTS) if name == "fastsac_dancer" else None
    return TrackerExpert(name, _FILES[name], SKILL_IDS[name], scale)
