"""Whole-body trackers (BeyondMimic's Stage 1): policies that follow a reference motion with an anchor body.

One class for all of them: those that whole_body_tracking and mjlab export, and holosoma's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import (
    quat_conjugate,
    quat_from_yaw,
    quat_multiply,
    quat_rotate,
    quat_rotate_inverse,
    quat_to_matrix,
    yaw_of,
)
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .anchor import AnchorChain
from .interface import Expert, RobotBatch
from .motion import ReferenceMotion
from .onnx_policy import OnnxNetwork
from .tracker_facts import TrackerFacts


@dataclass(frozen=True)
class TrackerView:
    """All that observation terms are made of; vectors over joints are in our order."""

    name: str
    robot: RobotBatch
    last_action: Array
    """(B, J)."""
    motion_joint_pos: Array
    motion_joint_vel: Array
    anchor: tuple[Array, Array]
    """Pose of the robot's anchor body: position (B, 3) and orientation wxyz (B, 4); the position relative to an
    unknown origin where the robot's own is not known."""
    wanted: tuple[Array, Array]
    """Pose the motion wants it in."""
    order: NDArray[np.intp]
    """Place of the tracker's joints among ours, shape (J,)."""

    def joints(self, values: Array) -> Array:
        """Our joint order to the tracker's."""
        return values[:, self.order]

    def need(self, term: str, name: str) -> Array:
        """A part of the robot's state that not everyone can give."""
        values = getattr(self.robot, name)
        if values is None:
            raise ConfigError(f"expert '{self.name}' sees '{term}', and whoever runs it gives no {name}")
        return values


def _anchor_pos(view: TrackerView) -> Array:
    view.need("motion_anchor_pos_b", "root_pos_w")
    return quat_rotate_inverse(view.anchor[1], view.wanted[0] - view.anchor[0])


def _anchor_ori(view: TrackerView) -> Array:
    """First two columns of the rotation from the robot's anchor to the wanted one, row by row."""
    error = quat_to_matrix(quat_multiply(quat_conjugate(view.anchor[1]), view.wanted[1]))
    return error[..., :2].reshape(len(error), 6)


def _command(view: TrackerView) -> Array:
    return np.concatenate([view.joints(view.motion_joint_pos), view.joints(view.motion_joint_vel)], axis=1)


TERMS: dict[str, tuple[int, Callable[[TrackerView], Array]]] = {
    "command": (2 * g1.NUM_JOINTS, _command),
    "motion_anchor_pos_b": (3, _anchor_pos),
    "motion_anchor_ori_b": (6, _anchor_ori),
    "base_lin_vel": (3, lambda view: view.need("base_lin_vel", "root_lin_vel_b")),
    "base_ang_vel": (3, lambda view: view.robot.ang_vel_b),
    "projected_gravity": (3, lambda view: view.robot.gravity_b),
    "joint_pos": (g1.NUM_JOINTS, lambda view: view.joints(view.robot.joint_pos - g1.DEFAULT_JOINT_POS)),
    "joint_vel": (g1.NUM_JOINTS, lambda view: view.joints(view.robot.joint_vel)),
    "actions": (g1.NUM_JOINTS, lambda view: view.joints(view.last_action)),
}
"""Observation terms by the names whole_body_tracking and mjlab give them: width, and how each is made."""


class TrackerExpert(Expert):
    """Follows its motion; after the end it holds the last pose.

    The motion is turned and shifted so that it starts where the robot faces and stands.
    """

    def __init__(self, name: str, skill_id: int, policy: OnnxNetwork, facts: TrackerFacts, motion: ReferenceMotion):
        """
        Raises:
            ArtifactMismatchError: The tracker sees a term that is not known here, or the terms do not fill its input.
        """
        self.name = name
        self.skill_id = skill_id
        self.kp, self.kd, self.action_scale = facts.kp, facts.kd, facts.action_scale
        self.motion = motion
        self._policy, self._facts = policy, facts
        self._chain = AnchorChain(facts.anchor_body)
        self._from_ours = np.argsort(facts.order)
        self._check_terms()

    def _check_terms(self) -> None:
        file, names = self._policy.path.name, [term.name for term in self._facts.terms]
        for name in names:
            if name not in TERMS:
                raise ArtifactMismatchError(f"'{file}' sees '{name}'; known observation terms are {sorted(TERMS)}")
        width, takes = sum(TERMS[name][0] for name in names), self._policy.widths["obs"]
        if takes not in (0, width):
            raise ArtifactMismatchError(f"'{file}' takes {takes} numbers; its terms {names} make {width}")

    @property
    def num_frames(self) -> int:
        """Length of the motion at 50 Hz."""
        return len(self.motion)

    def reset(self, robot: RobotBatch) -> None:
        """See :meth:`Expert.reset`; robots should be near the motion's first pose."""
        batch = len(robot.joint_pos)
        self.last_action = np.zeros((batch, g1.NUM_JOINTS), dtype=np.float32)
        self._frame = np.zeros(batch, dtype=np.int64)
        self._turn, self._shift = self._placement(robot)

    def restart(self, robot: RobotBatch, rows: NDArray[np.bool_]) -> None:
        """See :meth:`Expert.restart`."""
        self.last_action = np.where(rows[:, None], np.float32(0.0), self.last_action)
        self._frame[rows] = 0
        turn, shift = self._placement(robot)
        self._turn = np.where(rows[:, None], turn, self._turn)
        self._shift = np.where(rows[:, None], shift, self._shift)

    def _placement(self, robot: RobotBatch) -> tuple[Array, Array]:
        """Rotation about z (B, 4), then shift in the plane (B, 3), that bring the motion to where each robot is."""
        pos, quat = self._anchor(robot)
        turn = quat_from_yaw(yaw_of(quat) - yaw_of(self.motion.anchor_quat_w[0]))
        first = np.broadcast_to(self.motion.anchor_pos_w[0], pos.shape)
        return turn, (pos - quat_rotate(turn, first)) * (1.0, 1.0, 0.0)

    def _anchor(self, robot: RobotBatch) -> tuple[Array, Array]:
        root = np.zeros((len(robot.joint_pos), 3)) if robot.root_pos_w is None else robot.root_pos_w
        return self._chain.pose(root, robot.root_quat_w, robot.joint_pos)

    def act(self, robot: RobotBatch, command: Array) -> Array:
        """See :meth:`Expert.act`; the command is ignored."""
        seen, time = self._observation(robot), np.zeros((1, 1))  # the exported networks take one robot at a time
        rows = [self._policy(["actions"], obs=row[None], time_step=time)[0].reshape(1, -1) for row in seen]
        action = np.concatenate(rows)[:, self._facts.order]
        self._frame = np.minimum(self._frame + 1, self.num_frames - 1)
        self.last_action = action
        return self.default_joint_pos + self.action_scale * action

    def _observation(self, robot: RobotBatch) -> Array:
        """The terms one after the other, clipped and then scaled, shape (B, width)."""
        at, motion = self._frame, self.motion
        wanted_pos = quat_rotate(self._turn, motion.anchor_pos_w[at]) + self._shift
        view = TrackerView(
            name=self.name,
            robot=robot,
            last_action=self.last_action,
            motion_joint_pos=motion.joint_pos[at],
            motion_joint_vel=motion.joint_vel[at],
            anchor=self._anchor(robot),
            wanted=(wanted_pos, quat_multiply(self._turn, motion.anchor_quat_w[at])),
            order=self._from_ours,
        )
        parts = [np.clip(TERMS[term.name][1](view), *term.clip) * term.scale for term in self._facts.terms]
        return np.concatenate(parts, axis=1)
