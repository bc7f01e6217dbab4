"""What ``guidance/active`` and ``guidance/scene`` ask for, tried before it is handed to the planner's thread."""

from __future__ import annotations

import numpy as np
from beyondmimic_msgs.msg import GuidanceGoal, SdfScene

from ..core.engine.manifest import PolicyManifest
from ..core.guidance.clip import split_keyframes
from ..core.guidance.clip_library import ClipLibrary
from ..core.guidance.composer import GuidanceComposer
from ..core.guidance.goal_config import GoalConfig
from ..core.guidance.goal_terms import GoalContext, goal_terms
from ..core.guidance.goals import Goal, ObstacleScene
from ..core.state import CharacterFrame, make_representation
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
        self._layout = make_representation(
            manifest.state_kind, [p.name for p in manifest.key_points], manifest.joint_names
        ).layout
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

    def goals(self) -> tuple[tuple[Goal, ...], int] | None:
        """What the planner shall serve, and its number; None before the first goal.

        Raises:
            GoalError: Not all of it can be served.
            ConfigError: A module with user costs cannot be imported.
        """
        msg = self._goal
        if msg is None:
            return None
        goals = goals_from_msg(msg, self._names, self._scene, bool(self._config.custom.modules), self._clips)
        self._try(goals, time_from_msg(msg.header.stamp))
        return goals, msg.seq

    def _try(self, goals: tuple[Goal, ...], stamp: float) -> None:
        """Make the costs once, as the planner will: an error there would end planning."""
        m = self._manifest
        context = GoalContext(
            CharacterFrame(np.zeros(2), np.zeros(())),
            stamp,
            m.step_dt,
            m.horizon,
            key_point_names=tuple(p.name for p in m.key_points) if m.state_kind == "body_pos" else (),
            key_point_radii=np.array([p.radius for p in m.key_points]),
        )
        _, costs = split_keyframes(goals, stamp, m.horizon * m.step_dt)
        terms = goal_terms(costs, context, self._config)
        width = max(part.stop for part in self._layout.values())
        GuidanceComposer(self._layout, np.ones(width), np.zeros(width), m.step_dt, terms)
