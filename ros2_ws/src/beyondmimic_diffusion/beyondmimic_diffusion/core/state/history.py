"""Stamped samples, looked up on the policy's time grid."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..rotations import slerp
from ..types import Array
from .representation import StateSequence

_LERPED = ("root_pos_w", "root_lin_vel_w", "root_ang_vel_w", "joint_pos", "joint_vel", "key_pos_w", "key_vel_w")


class StateHistory:
    """The last states of one robot, interpolated to N + 1 steps that end at the newest one.

    Before enough time has passed, the oldest state stands for everything before it: a robot that has just been switched
    on has stood still.
    """

    def __init__(self, history_len: int, step_dt: float):
        """
        Args:
            history_len: N, steps before the current one.
            step_dt: Spacing of the steps [s].
        """
        self.history_len = history_len
        self.step_dt = step_dt
        self._samples: deque[tuple[float, StateSequence]] = deque()

    def __copy__(self) -> StateHistory:
        """Another history of the same samples, that goes its own way."""
        other = StateHistory(self.history_len, self.step_dt)
        other._samples = self._samples.copy()
        return other

    def reset(self) -> None:
        """Forget everything (after a time jump or a new activation)."""
        self._samples.clear()

    @property
    def newest_stamp(self) -> float | None:
        """Stamp of the newest state [s], None if there is none."""
        return self._samples[-1][0] if self._samples else None

    def push(self, stamp: float, state: StateSequence) -> bool:
        """Add a state (arrays without leading dimensions).

        Returns:
            False if its stamp is not newer than the newest one; the sample is then ignored.
        """
        if self._samples and stamp <= self._samples[-1][0]:
            return False
        self._samples.append((stamp, state))
        oldest = stamp - (self.history_len + 1) * self.step_dt
        while len(self._samples) > 2 and self._samples[1][0] <= oldest:
            self._samples.popleft()
        return True

    def window(self) -> StateSequence:
        """States at ``newest - N dt .. newest``, leading shape (N + 1,).

        Raises:
            ValueError: There is no state yet.
        """
        if not self._samples:
            raise ValueError("no state yet")
        newest = self._samples[-1][0]
        times = newest + self.step_dt * np.arange(-self.history_len, 1)
        return _stack([self._at(t) for t in times])

    def _at(self, t: float) -> StateSequence:
        after = self._samples[-1][1]
        for i in range(len(self._samples) - 1, -1, -1):
            stamp, state = self._samples[i]
            if stamp <= t + 1e-6:
                if i == len(self._samples) - 1:
                    return state
                next_stamp = self._samples[i + 1][0]
                return _interpolate(state, after, max(0.0, (t - stamp) / (next_stamp - stamp)))
            after = state
        return after


def _interpolate(a: StateSequence, b: StateSequence, share: float) -> StateSequence:
    if share < 1e-6:
        return a
    values = {name: (1.0 - share) * getattr(a, name) + share * getattr(b, name) for name in _LERPED}
    return StateSequence(root_quat_w=slerp(a.root_quat_w, b.root_quat_w, np.asarray(share)), **values)


def _stack(states: list[StateSequence]) -> StateSequence:
    names = ("root_pos_w", "root_quat_w", *_LERPED[1:])
    return StateSequence(**{name: np.array([getattr(s, name) for s in states]) for name in names})


class ActionHistory:
    """The joint targets that were really commanded, looked up by time (zero-order hold)."""

    def __init__(self, span: float):
        """
        Args:
            span: How far back a look-up may go [s].
        """
        self.span = span
        self._samples: deque[tuple[float, Array]] = deque()

    def __copy__(self) -> ActionHistory:
        """Another history of the same samples, that goes its own way."""
        other = ActionHistory(self.span)
        other._samples = self._samples.copy()
        return other

    def reset(self) -> None:
        """Forget everything."""
        self._samples.clear()

    def push(self, stamp: float, joint_target: Array) -> bool:
        """Add the target that is in force from ``stamp`` on, shape (J,); False (ignored) if not newer than the last."""
        if self._samples and stamp <= self._samples[-1][0]:
            return False
        self._samples.append((stamp, np.array(joint_target)))
        while len(self._samples) > 2 and self._samples[1][0] <= stamp - self.span:
            self._samples.popleft()
        return True

    def at(self, times: Array, default: Array) -> Array:
        """Targets in force at each time, shape (n, J); ``default`` (J,) before the first one."""
        stamps = np.array([s for s, _ in self._samples])
        index = np.searchsorted(stamps, np.asarray(times) + 1e-6, side="right") - 1
        return np.stack([self._samples[i][1] if i >= 0 else default for i in index])
