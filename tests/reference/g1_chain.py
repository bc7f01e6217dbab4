"""Forward kinematics of the G1 read straight from its XML, as a chain of scipy rotations. Imports nothing from core."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation


def _vector(text: str | None, default: tuple[float, ...]) -> np.ndarray:
    return np.array(default if text is None else [float(x) for x in text.split()])


def point_positions(
    mjcf: Path,
    root_pos: np.ndarray,
    root_quat_wxyz: np.ndarray,
    joint_angles: dict[str, float],
    points: list[tuple[str, tuple[float, float, float]]],
) -> np.ndarray:
    """World positions (M, 3) of points given as (body, offset in the body)."""
    frames: dict[str, tuple[np.ndarray, Rotation]] = {}

    def visit(body: ElementTree.Element, pos: np.ndarray, rot: Rotation) -> None:
        if body.find("freejoint") is not None:
            pos, rot = root_pos, Rotation.from_quat(root_quat_wxyz, scalar_first=True)
        else:
            pos = pos + rot.apply(_vector(body.get("pos"), (0, 0, 0)))
            rot = rot * Rotation.from_quat(_vector(body.get("quat"), (1, 0, 0, 0)), scalar_first=True)
        for joint in body.findall("joint"):
            rot = rot * Rotation.from_rotvec(
                joint_angles[joint.get("name", "")] * _vector(joint.get("axis"), (0, 0, 1))
            )
        frames[body.get("name", "")] = pos, rot
        for child in body.findall("body"):
            visit(child, pos, rot)

    pelvis = ElementTree.parse(mjcf).getroot().find("worldbody/body")
    assert pelvis is not None
    visit(pelvis, np.zeros(3), Rotation.identity())
    return np.array([frames[body][0] + frames[body][1].apply(offset) for body, offset in points])
