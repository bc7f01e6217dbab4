"""What a tracker's ONNX metadata says of it, as whole_body_tracking and mjlab write it; each mismatch by its name.

Lists are comma-separated text with numbers rounded to three decimals; a list inside a list has semicolons.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.errors import ArtifactMismatchError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

_ROUNDED = 1e-3
"""Numbers in the metadata are rounded to three decimals."""
_WRITERS = "whole_body_tracking and mjlab write it at export"


@dataclass(frozen=True)
class TermFact:
    """One observation term as the tracker wants it."""

    name: str
    scale: Array
    """Shape () or (width,); after clipping."""
    clip: tuple[float, float] = (-np.inf, np.inf)


@dataclass(frozen=True)
class TrackerFacts:
    """All vectors in our joint order."""

    order: NDArray[np.intp]
    """Place of each of our joints in the tracker's order, shape (J,)."""
    kp: Array
    """[N m/rad], shape (J,)."""
    kd: Array
    """[N m s/rad], shape (J,)."""
    action_scale: Array
    """[rad] per action unit, shape (J,)."""
    terms: tuple[TermFact, ...]
    anchor_body: str
    body_names: tuple[str, ...]
    """Bodies of the motion inside the file, in its order; empty if it does not say."""


def facts_from_metadata(file: str, metadata: Mapping[str, str]) -> TrackerFacts:
    """Read and check a tracker's metadata.

    Args:
        file: Its name, for messages.

    Raises:
        ArtifactMismatchError: Something is missing, unreadable, or not of this robot; the text names it.
    """
    names = _list(file, metadata, "joint_names")
    order = _joint_order(file, names)

    def vector(key: str) -> Array:
        return _per_joint(file, key, _list(file, metadata, key), names)[order]

    kp, kd = vector("joint_stiffness"), vector("joint_damping")
    for key, gains in (("joint_stiffness", kp), ("joint_damping", kd)):
        if np.any(gains <= 0.0):
            joint = g1.JOINT_NAMES[int(np.argmin(gains))]
            raise ArtifactMismatchError(f"'{file}': {key} of {joint} is {gains.min():g}; it must be above zero")
    _check_default_pose(file, vector("default_joint_pos"))
    scale = _list(file, metadata, "action_scale")
    action_scale = (
        vector("action_scale") if len(scale) > 1 else np.full(g1.NUM_JOINTS, _number(file, "action_scale", scale[0]))
    )
    return TrackerFacts(
        order=order,
        kp=kp,
        kd=kd,
        action_scale=action_scale,
        terms=_terms(file, metadata),
        anchor_body=_list(file, metadata, "anchor_body_name")[0],
        body_names=tuple(_list(file, metadata, "body_names")) if "body_names" in metadata else (),
    )


def _list(file: str, metadata: Mapping[str, str], key: str) -> list[str]:
    if not metadata.get(key, "").strip():
        raise ArtifactMismatchError(f"'{file}' carries no metadata '{key}'; {_WRITERS}. It has {sorted(metadata)}")
    return [entry.strip() for entry in metadata[key].split(",")]


def _joint_order(file: str, names: list[str]) -> NDArray[np.intp]:
    """Place of each of our joints among ``names``."""
    for name in names:
        if name not in g1.JOINT_NAMES:
            near = difflib.get_close_matches(name, g1.JOINT_NAMES, n=1)
            hint = f"; did its exporter mean '{near[0]}'?" if near else ""
            raise ArtifactMismatchError(f"'{file}' acts on joint '{name}', which the robot does not have{hint}")
    missing = [name for name in g1.JOINT_NAMES if name not in names]
    if missing or len(names) != g1.NUM_JOINTS:
        raise ArtifactMismatchError(
            f"'{file}' acts on {len(names)} joints; {g1.NUM_JOINTS} were expected, each once; missing: {missing}"
        )
    return np.array([names.index(name) for name in g1.JOINT_NAMES])


def _per_joint(file: str, key: str, entries: list[str], joint_names: list[str]) -> Array:
    """Numbers in the file's order."""
    for place, entry in enumerate(entries[: len(joint_names)]):
        if not entry or entry.lower() in ("nan", "none"):
            raise ArtifactMismatchError(f"'{file}': {key} of {joint_names[place]} is missing (it reads '{entry}')")
    if len(entries) != len(joint_names):
        raise ArtifactMismatchError(
            f"'{file}': {key} has {len(entries)} numbers for {len(joint_names)} joints; one for each was expected"
        )
    return np.array([_number(file, key, entry) for entry in entries])


def _number(file: str, key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArtifactMismatchError(f"'{file}': {key} holds '{text}', which is not a number") from None


def _check_default_pose(file: str, pose: Array) -> None:
    """An action of zero means this pose; data sets and the stack's stand know one only."""
    difference = np.abs(pose - g1.DEFAULT_JOINT_POS)
    joint = int(np.argmax(difference))
    if difference[joint] > _ROUNDED:
        raise ArtifactMismatchError(
            f"'{file}': default_joint_pos of {g1.JOINT_NAMES[joint]} is {pose[joint]:g} rad; "
            f"{g1.DEFAULT_JOINT_POS[joint]:g} was expected, as in core/robot/g1.py"
        )


def _terms(file: str, metadata: Mapping[str, str]) -> tuple[TermFact, ...]:
    names = _list(file, metadata, "observation_names")

    def column(key: str, default: str) -> list[str]:
        entries = _list(file, metadata, key) if metadata.get(key) else [default] * len(names)
        if len(entries) != len(names):
            raise ArtifactMismatchError(
                f"'{file}': {key} has {len(entries)} entries for {len(names)} observation terms"
            )
        return entries

    for key in ("observation_history_lengths", "observation_terms_history_length"):
        for name, entry in zip(names, column(key, "1"), strict=True):
            if _number(file, key, entry) > 1:
                raise ArtifactMismatchError(
                    f"'{file}': term '{name}' has a history of {entry} frames; trackers without history are supported"
                )
    scales = column("observation_terms_scale", "1.0")
    clips = column("observation_terms_clip", "-inf;inf")
    terms = []
    for name, scale, clip in zip(names, scales, clips, strict=True):
        low, high = (_number(file, "observation_terms_clip", part) for part in clip.split(";"))
        factors = np.array([_number(file, "observation_terms_scale", part) for part in scale.split(";")])
        terms.append(TermFact(name, factors if len(factors) > 1 else factors[0], (low, high)))
    return tuple(terms)
