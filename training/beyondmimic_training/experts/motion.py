"""Reference motions of trackers: out of the tracker's own ONNX file, or out of the motion file it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.errors import ArtifactMismatchError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from ..motions import MotionError, read_motion
from .anchor import AnchorChain
from .interface import CONTROL_DT
from .onnx_policy import OnnxNetwork

_MAX_FRAMES = 100_000
_SAME_POSE = 0.01
"""Two accounts of one frame differ by less than this [rad]; they are the same numbers in float32."""


@dataclass(frozen=True)
class ReferenceMotion:
    """T frames, ``CONTROL_DT`` apart, in our joint order."""

    joint_pos: Array
    """[rad], shape (T, J)."""
    joint_vel: Array
    """[rad/s], shape (T, J)."""
    anchor_quat_w: Array
    """Orientation of the anchor body wxyz, shape (T, 4)."""
    anchor_pos_w: Array
    """Its position [m], shape (T, 3)."""

    def __len__(self) -> int:
        return len(self.joint_pos)


def read_table(network: OnnxNetwork, outputs: tuple[str, ...]) -> list[Array]:
    """What a tracker's network tells of its motion, frame by frame: arrays (T, ...) in the order of ``outputs``.

    The network holds its time index to the motion's length, so the last frame repeats for ever: the length is found
    by bisection for the first index from which on nothing changes.
    """
    blank = {"obs": np.zeros((1, network.widths["obs"]))} if "obs" in network.widths else {}

    def frame(index: int) -> list[Array]:
        return [part[0] for part in network(list(outputs), time_step=np.array([[index]]), **blank)]

    def same(a: list[Array], b: list[Array]) -> bool:
        return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    last = frame(_MAX_FRAMES)
    low, high = 0, _MAX_FRAMES
    while low < high:
        middle = (low + high) // 2
        if same(frame(middle), last):
            high = middle
        else:
            low = middle + 1
    frames = [frame(i) for i in range(low + 1)]
    return [np.stack(parts).astype(np.float64) for parts in zip(*frames, strict=True)]


def motion_from_network(path: Path, order: NDArray[np.intp], anchor: int) -> ReferenceMotion:
    """The motion inside a tracker's ONNX file, as whole_body_tracking and mjlab put it there.

    Args:
        path: The ONNX file.
        order: Place of each of our joints in the file's order, shape (J,).
        anchor: Place of the anchor body among the file's bodies.
    """
    names = ("joint_pos", "joint_vel", "body_pos_w", "body_quat_w")
    pos, vel, body_pos, body_quat = read_table(OnnxNetwork(path, outputs=names), names)
    return ReferenceMotion(pos[:, order], vel[:, order], body_quat[:, anchor], body_pos[:, anchor])


def motion_from_file(path: Path, order: NDArray[np.intp], chain: AnchorChain) -> ReferenceMotion:
    """A motion file as whole_body_tracking and mjlab write it (``csv_to_npz``).

    Of its bodies only the first is used, the pelvis: the file does not name the others, and their order is that of
    the simulator that wrote it.

    Args:
        path: The ``.npz``.
        order: Place of each of our joints in the order of the tracker's metadata, shape (J,).
        chain: Anchor body.

    Raises:
        ArtifactError: No such file, or an array is missing.
        ArtifactMismatchError: Another rate, or another number of joints.
    """
    if path.suffix.lower() != ".npz":
        return _converted(path, chain)
    if not path.is_file():
        raise MotionError(f"there is no motion file '{path}'")
    with _opened(path) as file:
        wanted = ("joint_pos", "joint_vel", "body_pos_w", "body_quat_w")
        missing = [name for name in wanted if name not in file]
        if missing:
            raise MotionError(f"motion file '{path.name}' lacks {missing}; it holds {sorted(file.files)}")
        pos, vel, body_pos, body_quat = (np.asarray(file[name], dtype=np.float64) for name in wanted)
        rate = float(np.asarray(file["fps"]).reshape(-1)[0]) if "fps" in file else 1.0 / CONTROL_DT
    if pos.shape[1:] != (g1.NUM_JOINTS,) or vel.shape != pos.shape:
        raise ArtifactMismatchError(
            f"motion file '{path.name}' has joint_pos {pos.shape} and joint_vel {vel.shape}; "
            f"(T, {g1.NUM_JOINTS}) was expected of both"
        )
    if abs(rate * CONTROL_DT - 1.0) > 1e-6:
        raise ArtifactMismatchError(
            f"motion file '{path.name}' has {rate:g} frames a second; experts act {1.0 / CONTROL_DT:g} times a second. "
            f"Convert it: python -m beyondmimic_training motion convert {path.name} --out {path.stem}_50hz.npz"
        )
    pos, vel = pos[:, order], vel[:, order]
    anchor_pos, anchor_quat = chain.pose(body_pos[:, 0], body_quat[:, 0], pos)
    return ReferenceMotion(pos, vel, anchor_quat, anchor_pos)


def _opened(path: Path) -> np.lib.npyio.NpzFile:
    try:
        file = np.load(path, allow_pickle=False)
    except Exception as error:  # zip, numpy and value errors of damaged files
        raise MotionError(f"motion file '{path.name}' is not a NumPy archive of plain arrays: {error}") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise MotionError(f"motion file '{path.name}' holds one array; an archive with joint_pos, ... was expected")
    return file


def _converted(path: Path, chain: AnchorChain) -> ReferenceMotion:
    """A motion in another form (CSV, pickle), at the experts' rate."""
    motion = read_motion(path).resampled(1.0 / CONTROL_DT)
    anchor_pos, anchor_quat = chain.pose(motion.root_pos_w, motion.root_quat_w, motion.joint_pos)
    return ReferenceMotion(motion.joint_pos, motion.joint_velocity(), anchor_quat, anchor_pos)


def _moving_frames(motion: ReferenceMotion) -> int:
    """Frames up to the one that is held to the end: exporters and trainers pad motions with their last pose."""
    differs = np.abs(motion.joint_pos - motion.joint_pos[-1]).max(axis=1) > _SAME_POSE
    return int(np.flatnonzero(differs)[-1]) + 2 if differs.any() else 1


def check_same_motion(inside: ReferenceMotion, beside: ReferenceMotion, network: Path, file: Path) -> None:
    """Refuse a motion file that is not the motion inside the network.

    Raises:
        ArtifactMismatchError: Another length, or a joint that differs at some frame; it is named.
    """
    lengths = _moving_frames(inside), _moving_frames(beside)
    if lengths[0] != lengths[1] and len(inside) != len(beside):
        raise ArtifactMismatchError(
            f"motion file '{file.name}' has {len(beside)} frames, the motion inside '{network.name}' {len(inside)} "
            f"({lengths[1]} and {lengths[0]} before the last pose is held): the tracker was trained on another motion"
        )
    count = min(len(inside), len(beside))
    difference = np.abs(inside.joint_pos[:count] - beside.joint_pos[:count])  # (T, J)
    frame, joint = np.unravel_index(np.argmax(difference), difference.shape)
    if difference[frame, joint] > _SAME_POSE:
        raise ArtifactMismatchError(
            f"motion file '{file.name}' has {g1.JOINT_NAMES[joint]} at {beside.joint_pos[frame, joint]:.3f} rad in "
            f"frame {frame}, the motion inside '{network.name}' at {inside.joint_pos[frame, joint]:.3f} rad: "
            "the tracker was trained on another motion"
        )
