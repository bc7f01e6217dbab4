r"""Staying on its feet without a plan by stepping: a velocity walker that is asked for no velocity.

It takes over in mid-stride: what it sees are the IMU, the encoders and, as its own last action, the last command that
was sent. Gains are the policy's, so the motors notice no change. Any network of its kind will do; the shipped choice is
the walker whose motions the planner's policy has learned.

It has learned to balance on a floor: hung up, it kicks about. So it steps only while the legs bear the robot. Bent
knees tell: what stretches them against the weight is, by the command in force,
:math:`\tau = k_p (q^* - q) - k_d \dot q`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..robot.velocity_walker import ACTION_SCALE, STANDING_PHASE, walker_observation
from ..types import Array, JointCommand, RobotState
from .attitude import to_body, vertical_b
from .modes import Reason
from .standing import StandingConfig, StandingController
from .watchdog import tilt_angle

PERIOD = 0.02
"""Of the walker's targets [s]."""
_TOLERANCE = 1e-6
"""Ticks are counted in floating point [s]."""
_STAND = np.zeros((1, 3))
_PHASE = np.full((1, 2), STANDING_PHASE)


class SteppingController(StandingController):
    """Targets of a walker that comes to rest, at the policy's gains."""

    reason = Reason.STEPPING

    def __init__(
        self, config: StandingConfig, network: Callable[[Array], Array], stand_pose: Array, knees: Sequence[int]
    ) -> None:
        """
        Args:
            config: Whether it is wanted, and the greatest tilt at which it is tried.
            network: Observation (1, 100) -> action (J,), see :func:`~..robot.velocity_walker.walker_observation`.
            stand_pose: What an action of zero means [rad], shape (J,).
            knees: Indices of the joints that bend as the robot goes down.
        """
        super().__init__(config)
        self._knees = list(knees)
        self._load = 0.0
        self._network = network
        self._stand = np.asarray(stand_pose, dtype=np.float64)
        self.start(self._stand)

    def observe(self, state: RobotState, command: JointCommand | None, dt: float) -> None:
        """Take note of what the knees bear; see :meth:`StandingController.observe`."""
        if command is None:
            return
        torque = 0.0
        for knee in self._knees:
            off = command.position.item(knee) - state.joint_pos.item(knee)
            torque += command.kp.item(knee) * off - command.kd.item(knee) * state.joint_vel.item(knee)
        self._load += (1.0 - math.exp(-dt / self._config.load_time)) * (-torque - self._load)

    def possible(self, state: RobotState | None) -> bool:
        """Whether it may be tried: the robot is upright and on its feet, walking or not."""
        return self.upright(state) and state is not None and tilt_angle(state.root_quat_w) <= self._config.max_tilt

    def upright(self, state: RobotState | None) -> bool:
        """Whether it may go on: a step can save a robot that leans further; where it falls, the watchdog says."""
        return self._config.enabled and state is not None and self._load >= self._config.min_load

    def start(self, target: Array) -> None:
        """See :meth:`StandingController.start`."""
        self._target = np.array(target, dtype=np.float64)
        self._last_action = (self._target - self._stand) / ACTION_SCALE
        self._since = math.inf  # the last of its steps [s]

    def target(self, state: RobotState, dt: float) -> Array:
        """See :meth:`StandingController.target`; a new one every 20 ms."""
        self._since += dt
        if self._since >= PERIOD - _TOLERANCE:
            late = self._since - PERIOD
            self._since = late if late < PERIOD else 0.0  # after a stall there is nothing to be caught up with
            self._last_action = np.asarray(self._network(self._see(state)), dtype=np.float64)
            self._target = self._stand + ACTION_SCALE * self._last_action
        return self._target.copy()

    def _see(self, state: RobotState) -> Array:
        return walker_observation(
            self._last_action[None],
            to_body(state.root_quat_w, state.root_ang_vel_w)[None],
            _STAND,
            _PHASE,
            (state.joint_pos - self._stand)[None],
            state.joint_vel[None],
            -np.array(vertical_b(state.root_quat_w))[None],
        )
