"""The Stage 1 policies by name."""

from __future__ import annotations

from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot.velocity_walker import WALKER_FILES

from .expert_file import FOLDER, find_expert_file, open_expert_file
from .interface import Expert
from .walker import WalkerExpert

SKILL_IDS: dict[str, int] = {
    "fastsac_walker": 0,
    "ppo_walker": 1,
    "fastsac_dancer": 2,
    "ppo_dancer": 3,
}
"""Number written into each frame of a data set."""

_DANCERS = {
    "fastsac_dancer": "wbt/fastsac_g1_29dof_dancing.onnx",
    "ppo_dancer": "wbt/ppo_g1_29dof_dancing.onnx",
}


def make_expert(name: str) -> Expert:
    """Open a Stage 1 policy: one of :data:`SKILL_IDS`, or one that a YAML file describes (``expert_file.py``).

    Raises:
        ConfigError: There is no expert of that name.
        ArtifactError: The package that ships it is missing, or its files are not of this robot.
    """
    if name not in SKILL_IDS:
        file = find_expert_file(name)
        if file is None:
            raise ConfigError(
                f"there is no expert '{name}'; choose one of {sorted(SKILL_IDS)}, a file in "
                f"training/configs/{FOLDER.name} by its name, or any .yaml file by its path"
            )
        return open_expert_file(file)
    if name in WALKER_FILES:
        return WalkerExpert(name, SKILL_IDS[name])
    from .holosoma_tracker import holosoma_tracker  # opened only when asked for: its files are 30 times larger

    # The FastSAC file carries no action scale; its network already puts out radians. Found by trial: with 1.0 it
    # dances; with BeyondMimic's 0.25 effort / kp, which the PPO file needs, it falls within 5 s.
    return holosoma_tracker(name, _DANCERS[name], SKILL_IDS[name], puts_out_radians=name == "fastsac_dancer")
