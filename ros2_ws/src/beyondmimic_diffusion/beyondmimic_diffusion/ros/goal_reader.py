"""What ``guidance/active`` and ``guidance/scene`` ask for, tried before it is handed to the planner's thread."""

from __future__ import annotations

import numpy as np
from beyondmimic_msgs.msg import GuidanceGoal, SdfScene

from ..core.engine.manifest import PolicyManifest
from ..core.guidance.clip_library import ClipLibrary
from ..core.guidance.goal_config import GoalConfig
from ..core.guidance.goal_judge import GoalJudge, PlanFacts
from ..core.guidance.goals import Goal, JoystickGoal, ObstacleScene
from ..core.rotations import yaw_of
from ..core.state import CharacterFrame
from ..core.types import RobotState
from .conversions import FrameNames, goals_from_msg, scene_from_msg, time_from_msg


class GoalReader:
    """Keeps the newest goal and the newest scene, and joins them."""

    def __init__(self, manifest: PolicyManifest, config: GoalConfig, names: FrameNames, clips: ClipLibrary):
        """
        Args:
            manifest: Facts of the policy: its key points decide what can be served.
            config: How goals are served.
            names: Frames.
            clips: Motions that can be followed.
        """
        self._manifest = manifest
        self._config = config
        self._names = names
        self._clips = clips
        self._judge = GoalJudge(facts_of(manifest), config)
        self._goal: GuidanceGoal | None = None
        self._scene: ObstacleScene | None = None

    def take_goal(self, msg: GuidanceGoal) -> None:
        """Remember a goal; :meth:`goals` judges it."""
        self._goal = msg

    def take_scene(self, msg: SdfScene) -> None:
        """Take obstacles in.

        Raises:
            GoalError: They cannot be served; those before stay.
        """
        self._scene = scene_from_msg(msg, self._names.odom)

    def check(self) -> None:
        """Judge the simplest goal, and with it the users' costs that act beside every goal.

        Raises:
            BeyondMimicError: One of them cannot be served: then no goal could be.
        """
        self._judge.judge((JoystickGoal(),), 0.0)

    def goals(self, frame: CharacterFrame | None = None) -> tuple[tuple[Goal, ...], int] | None:
        """What the planner shall serve, and its number; None before the first goal.

        Args:
            frame: Where the robot is; None: nobody knows.

        Raises:
            GoalError: Not all of it can be served.
            ConfigError: A module with user costs cannot be imported.
        """
        msg = self._goal
        if msg is None:
            return None
        goals = goals_from_msg(msg, self._names, self._scene, bool(self._config.custom.modules), self._clips)
        self._judge.judge(goals, time_from_msg(msg.header.stamp), frame)
        return goals, msg.seq


def frame_of(state: RobotState) -> CharacterFrame:
    """Where a robot is."""
    return CharacterFrame(np.asarray(state.root_pos_w[:2]), np.asarray(yaw_of(state.root_quat_w)))


def facts_of(manifest: PolicyManifest | None) -> PlanFacts:
    """What goals must fit; without a policy, what our own policies have."""
    if manifest is None:
        return PlanFacts()
    return PlanFacts(
        manifest.state_kind,
        tuple(point.name for point in manifest.key_points),
        tuple(point.radius for point in manifest.key_points),
        tuple(manifest.joint_names),
        manifest.step_dt,
        manifest.horizon,
    )
