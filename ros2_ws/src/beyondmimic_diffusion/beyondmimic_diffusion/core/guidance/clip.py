"""A recorded motion of the robot, and the goal of following it: states at regular times, each a fact to the plan.

A clip is how a skill is entered that the policy has no velocity command for: its first states lead from standing into
the motion, and after the last one the policy goes on by itself or is steered elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArtifactError, GoalError
from ..state import StateSequence
from ..types import Array
from .goals import Goal
from .state_keyframe import StateKeyframeGoal, placed

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Clip:
    """States of a robot at regular times."""

    name: str
    states: StateSequence
    """Leading shape (T,)."""
    dt: float
    """Spacing [s]."""
    joint_names: tuple[str, ...]
    key_point_names: tuple[str, ...]
    source: str = ""
    """What was recorded, for people."""

    @property
    def duration(self) -> float:
        """From the first state to the last [s]."""
        return (len(self.states.root_pos_w) - 1) * self.dt

    def save(self, path: Path) -> None:
        """Write one compressed NumPy file."""
        arrays: dict[str, Any] = {
            f.name: np.asarray(getattr(self.states, f.name), np.float32) for f in fields(self.states)
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            **arrays,
            format=np.array(_FORMAT),
            dt=np.array(self.dt),
            joint_names=np.array(self.joint_names),
            key_point_names=np.array(self.key_point_names),
            source=np.array(self.source),
        )

    @classmethod
    def load(cls, path: Path) -> Clip:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: The file is missing, damaged or of another format.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                states = StateSequence(**{f.name: data[f.name].astype(np.float64) for f in fields(StateSequence)})
                facts = {name: data[name] for name in ("format", "dt", "joint_names", "key_point_names", "source")}
        except Exception as error:  # zip, key and value errors of several libraries
            raise ArtifactError(f"clip {path} cannot be read ({error}); record it again") from error
        if int(facts["format"]) != _FORMAT:
            raise ArtifactError(f"clip {path} has format {int(facts['format'])}; this code reads {_FORMAT}")
        lengths = {f.name: len(getattr(states, f.name)) for f in fields(states)}
        if len(set(lengths.values())) != 1 or min(lengths.values()) < 2:
            raise ArtifactError(f"clip {path} holds arrays of lengths {lengths}; all must have the same, at least 2")
        return cls(
            path.stem,
            states,
            float(facts["dt"]),
            tuple(map(str, facts["joint_names"])),
            tuple(map(str, facts["key_point_names"])),
            str(facts["source"]),
        )

    def check(self, joint_names: tuple[str, ...], key_point_names: tuple[str, ...]) -> None:
        """Refuse a clip of another robot.

        Raises:
            ArtifactError: Joints or key points differ from these, or come in another order.
        """
        for what, own, right in (
            ("joints", self.joint_names, joint_names),
            ("key points", self.key_point_names, key_point_names),
        ):
            if own != right:
                raise ArtifactError(f"clip '{self.name}' has the {what} {list(own)}; the policy has {list(right)}")


@dataclass(frozen=True, eq=False)
class ClipGoal(Goal):
    """Follow a clip from its start, at a place and time."""

    clip: Clip = field(kw_only=True)
    start: float = field(kw_only=True)
    """When the clip's first state is due, by the robot's clock [s]."""
    xy_w: Array | tuple[float, float] = field(kw_only=True)
    """Where its first state stands [m], shape (2,)."""
    yaw_w: float = field(kw_only=True)
    """Which way it faces [rad]."""
    until: float = field(kw_only=True)
    """Clip time up to which it is followed [s]."""
    spacing: float = field(default=0.16, kw_only=True)
    """Time between two states that are held [s]; between them the policy fills in."""

    def __post_init__(self) -> None:
        self._check_expiry()
        self._require("xy_w", (2,), 1000.0, "m")
        if not np.all(np.isfinite([self.start, self.yaw_w, self.until, self.spacing])):
            raise GoalError(f"ClipGoal of '{self.clip.name}': start, heading, end and spacing must be finite")
        if not 0.0 < self.until <= self.clip.duration + 1e-6:
            raise GoalError(
                f"ClipGoal: clip '{self.clip.name}' cannot be followed until {self.until} s; it is "
                f"{self.clip.duration:.2f} s long"
            )
        if self.spacing < self.clip.dt - 1e-9:
            raise GoalError(f"ClipGoal.spacing = {self.spacing} s is below the clip's own spacing of {self.clip.dt} s")
        object.__setattr__(self, "_states", placed(self.clip.states, np.asarray(self.xy_w), self.yaw_w))

    def keyframes(self, now: float, horizon: float) -> list[StateKeyframeGoal]:
        """The states that are due after ``now`` and within ``horizon`` seconds of it."""
        states: StateSequence = self._states  # type: ignore[attr-defined]
        stride = max(1, round(self.spacing / self.clip.dt))
        last = round(self.until / self.clip.dt)
        indices = sorted({*range(0, last + 1, stride), last})
        out = []
        for index in indices:
            due = self.start + index * self.clip.dt
            if now + 1e-6 < due <= now + horizon + 1e-6:
                out.append(StateKeyframeGoal(state=states[index], due=due))
        return out


def split_keyframes(goals: Iterable[Goal], now: float, horizon: float) -> tuple[list[StateKeyframeGoal], list[Goal]]:
    """Goals that become facts in a plan made ``now`` that reaches ``horizon`` seconds ahead, and all others."""
    facts: list[StateKeyframeGoal] = []
    others: list[Goal] = []
    for goal in goals:
        if not isinstance(goal, StateKeyframeGoal | ClipGoal):
            others.append(goal)
        elif not goal.expired(now):
            facts += goal.keyframes(now, horizon) if isinstance(goal, ClipGoal) else [goal]
    return facts, others
