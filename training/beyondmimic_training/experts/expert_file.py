"""Experts named in a YAML file: a tracker that whole_body_tracking or mjlab exported, and its motion.

.. code-block:: yaml

    onnx: crawl.onnx       # relative to this file
    motion: crawl.npz      # may be left out: the ONNX file of an exported tracker holds its motion
    skill_id: 16           # written into each frame of a data set; 16 to 127, another for each tracker
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError

from .anchor import AnchorChain
from .motion import ReferenceMotion, check_same_motion, motion_from_file, motion_from_network
from .onnx_policy import OnnxNetwork
from .tracker import TrackerExpert
from .tracker_facts import TrackerFacts, facts_from_metadata

FOLDER = Path(__file__).parents[2] / "configs" / "experts"
"""Where a bare name is looked up."""
SKILL_ID_RANGE = (16, 127)
"""Below are those of ``catalog.py``; above, a frame's int8 ends."""
_KEYS = {"onnx": str, "motion": str, "skill_id": int}


def find_expert_file(name: str) -> Path | None:
    """File of an expert: its path, or its name in ``training/configs/experts``; None if there is no such file."""
    candidates = [Path(name).expanduser()] if name.endswith((".yaml", ".yml")) else [FOLDER / f"{name}.yaml"]
    return next((path for path in candidates if path.is_file()), None)


def open_expert_file(path: Path) -> TrackerExpert:
    """Open the tracker a YAML file names; the expert's name is the file's.

    Raises:
        ConfigError: The file is not such a mapping.
        ArtifactError: The ONNX or motion file is missing or damaged.
        ArtifactMismatchError: They are not of this robot, or do not belong together; the text names what differs.
    """
    values = _read(path)
    onnx = path.parent / values["onnx"]
    policy = OnnxNetwork(onnx, outputs=("actions",))
    if "obs" not in policy.widths:
        raise ArtifactMismatchError(
            f"'{onnx.name}' has inputs and outputs {sorted(policy.widths)}; an input 'obs' was expected"
        )
    facts = facts_from_metadata(onnx.name, policy.metadata)
    motion = _motion(onnx, path.parent / values["motion"] if "motion" in values else None, facts)
    return TrackerExpert(path.stem, values["skill_id"], policy, facts, motion)


def _read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise ConfigError(f"expert file '{path}' must hold a mapping with the keys {list(_KEYS)}")
    for key, value in values.items():
        if key not in _KEYS:
            raise ConfigError(f"expert file '{path}': unknown key '{key}'; known are {list(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise ConfigError(f"expert file '{path}': {key} is a {_KEYS[key].__name__}; got {value!r}")
    missing = [key for key in ("onnx", "skill_id") if key not in values]
    if missing:
        raise ConfigError(f"expert file '{path}' lacks {missing}")
    low, high = SKILL_ID_RANGE
    if not low <= values["skill_id"] <= high:
        raise ConfigError(f"expert file '{path}': skill_id {values['skill_id']} is not in {low} to {high}")
    return values


def _motion(onnx: Path, file: Path | None, facts: TrackerFacts) -> ReferenceMotion:
    """From the motion file, which must agree with the motion inside the ONNX file; without one, from the latter."""
    inside = None
    if facts.anchor_body in facts.body_names:
        inside = motion_from_network(onnx, facts.order, facts.body_names.index(facts.anchor_body))
    if file is None:
        if inside is None:
            raise ArtifactMismatchError(
                f"'{onnx.name}': body_names {list(facts.body_names)} do not hold the anchor '{facts.anchor_body}', "
                "so the motion inside cannot be used; name the motion file as well (motion: FILE.npz)"
            )
        return inside
    beside = motion_from_file(file, facts.order, AnchorChain(facts.anchor_body))
    if inside is not None:
        check_same_motion(inside, beside, onnx, file)
    return beside
