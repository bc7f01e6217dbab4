"""What the policy is asked for in an episode with a clip, by the task that runs on the robot; how well it followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance import Goal, JoystickGoal
from beyondmimic_diffusion.core.guidance.clip import Clip
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import rotate_yaw, yaw_of
from beyondmimic_diffusion.core.tasks import PlayClip, TaskStatus
from beyondmimic_diffusion.core.types import Array, RobotState

from .interlude import WalkOn
from .judge import TRACE_DT
from .rollout import START
from .task_rollout import TaskTrace
from .task_suites import TaskSpec

_GRACE = 0.1
"""The finish is decided by a frame at its time; a moment later it can be said that it was not met [s]."""


class ClipGoals:
    """Walk, play the clip, walk on; called with the newest state before each plan."""

    route_xy_w: Array | None = None
    """There is no route."""

    def __init__(self, spec: TaskSpec, clip: Clip, kinematics: Kinematics):
        """
        Args:
            spec: Of an episode with an interlude.
            clip: What is played.
            kinematics: For the key points.

        Raises:
            ConfigError: The episode has no interlude.
        """
        scenario = spec.scenario
        if scenario.interlude is None or scenario.command is None or not isinstance(scenario.finish, WalkOn):
            raise ConfigError(f"episode {spec.index} has no clip to play between two walks")
        self._begin, self._finish = scenario.interlude.begin, scenario.finish
        self._walk = (JoystickGoal(scenario.command[:2], scenario.command[2]),)
        self._kinematics = kinematics
        self._task = PlayClip(clip, lambda state: kinematics.key_points(state)[0])
        self._message = ""

    def __call__(self, state: RobotState) -> Sequence[Goal]:
        """What the next plan shall serve."""
        time, due = state.stamp - START, self._finish.due
        if time < self._begin - 1e-9:
            return self._walk
        if due is not None:
            if time > due + _GRACE and not self._finish.met:
                self._message = f"did not walk on within {WalkOn.TIME:.0f} s of the clip's end"
            return self._walk
        update = self._task.update(state)
        if update.status is TaskStatus.FAILED:
            self._message = f"{update.code.name}: {update.message}"
        if update.status is not TaskStatus.SUCCEEDED:
            return update.goals
        self._finish.begin(time)
        return self._walk

    def gave_up(self) -> str:
        """Why the task has ended without success; empty while it goes on, or after success."""
        return self._message

    def judged(self, trace: TaskTrace) -> TaskTrace:
        """The episode with the error of each of the clip's states that was lived to see."""
        goal = self._task.goal
        if goal is None:
            return trace
        errors = clip_errors(goal.clip, goal.start - START, trace.trace.qpos, self._kinematics)
        return replace(trace, keyframe_errors=errors)


def clip_errors(clip: Clip, start: float, qpos: Array, kinematics: Kinematics) -> Array:
    """Mean distance of the key points, relative to the pelvis and its heading, from each state of a clip [m].

    Args:
        clip: What was to be followed.
        start: When its first state was due, since the episode's start [s].
        qpos: What was done, frames of 20 ms, shape (T, 36).
        kinematics: Of the key points.

    Returns:
        One value for each state whose time was lived to see, shape (K,).
    """
    states = clip.states
    frames = np.rint((start + clip.dt * np.arange(len(states.root_pos_w))) / TRACE_DT).astype(int)
    seen = frames < len(qpos)
    done = qpos[frames[seen]].astype(np.float64)
    if not len(done):
        return np.zeros(0)
    points, _ = kinematics.key_points_batch(done, np.zeros((len(done), 35)))
    found = _local(points, done[:, :3], done[:, 3:7])
    wanted = _local(states.key_pos_w[seen], states.root_pos_w[seen], states.root_quat_w[seen])
    return np.mean(np.linalg.norm(found - wanted, axis=-1), axis=-1)


def _local(points_w: Array, root_w: Array, quat: Array) -> Array:
    """Points (K, M, 3) relative to the pelvis (K, 3), turned with its heading."""
    return rotate_yaw(points_w - root_w[:, None], -yaw_of(quat)[:, None])
