"""The action that plays a recorded motion of the policy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from beyondmimic_msgs.action import PlayClip as PlayClipAction

from ..core.guidance.clip_library import ClipLibrary
from ..core.tasks import PlayClip
from ..core.types import RobotState
from .conversions import duration_to_msg
from .task_actions import Progress, TaskAction, TaskWorld, duration_of, finite, kinematics, require_not_negative


class ClipTaskAction(TaskAction):
    """``play_clip``."""

    name = "play_clip"
    action_type = PlayClipAction

    def __init__(self, clips: ClipLibrary):
        """
        Args:
            clips: What can be played: the same as the planner has.
        """
        self._clips = clips
        self._kinematics = kinematics()

    def make(self, goal: Any, world: TaskWorld, state: RobotState, now: float) -> PlayClip:
        """Follow a clip to a pose of it."""
        require_not_negative(goal, "position_tolerance")
        settings = world.config().clip
        if goal.position_tolerance > 0.0:
            settings = replace(settings, position_tolerance=float(goal.position_tolerance))
        return PlayClip(
            self._clips.named(goal.clip),
            lambda s: self._kinematics.key_points(s)[0],
            until=duration_of(goal, "until", math.inf),
            config=settings,
        )

    def feedback(self, task: Any, progress: Progress) -> Any:
        """Time left, and the error now."""
        message = PlayClipAction.Feedback(cost=progress.cost, planner_state=progress.planner_state)
        message.time_left = duration_to_msg(finite(progress.update.predicted_time))
        message.position_error = float(progress.update.distance)
        return message

    def fill(self, result: Any, task: Any, state: RobotState | None, elapsed: float) -> None:
        """Error of the pose, NaN if it did not come to pass."""
        result.position_error = math.nan if task is None else float(task.error)
