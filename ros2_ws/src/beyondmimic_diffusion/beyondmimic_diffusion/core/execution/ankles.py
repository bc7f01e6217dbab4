r"""Standing without plan or step: the stand pose, stiffly, and ankles that push the weight back over the feet.

A held pose does not balance: with the soft gains of a policy of this kind the ankles alone would let the robot topple
within a second. With stiffer joints the robot is close to one rigid body that tips about its ankles, an inverted
pendulum, and the ankles' targets follow its tilt:

.. math:: q^*_{ankle} = q_{stand} + K\,\theta + D\,\omega

with tilt :math:`\theta` and its rate :math:`\omega` about the pelvis's pitch axis for the pitch joints, and about its
roll axis for the roll joints (positive: leaning forward, leaning right; the ankle then pushes the toes, or the outer
edge, down). It takes no step, so it bears only what two feet on the floor can bear; what that is, is measured and
stated in the safety documentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from ..types import Array, JointCommand, RobotState
from .attitude import to_body, vertical_b
from .modes import Reason
from .standing import StandingConfig, StandingController


class AnkleController(StandingController):
    """Targets and gains that keep a robot standing where it stands."""

    reason = Reason.STANDING

    def __init__(
        self, config: StandingConfig, stand_pose: Array, ankle_pitch: Sequence[int], ankle_roll: Sequence[int]
    ) -> None:
        """
        Args:
            config: Gains, times and the greatest tilt.
            stand_pose: [rad], shape (J,).
            ankle_pitch: Indices of the joints that turn the feet about the pelvis's y axis.
            ankle_roll: The same about its x axis.

        Raises:
            ConfigError: No such joint.
        """
        joints = [*ankle_pitch, *ankle_roll]
        if not joints or min(joints) < 0 or max(joints) >= len(stand_pose):
            raise ConfigError(f"ankles {joints} are not joints of a robot with {len(stand_pose)}")
        super().__init__(config)
        self._stand = np.asarray(stand_pose, dtype=np.float64)
        self._pitch, self._roll = list(ankle_pitch), list(ankle_roll)
        self._speed = 0.0
        self.start(self._stand)

    def observe(self, state: RobotState, command: JointCommand | None, dt: float) -> None:
        """Take note of how fast the joints move; see :meth:`StandingController.observe`."""
        share = 1.0 - math.exp(-dt / self._config.speed_time)
        self._speed += share * (float(np.abs(state.joint_vel).max()) - self._speed)

    def possible(self, state: RobotState | None) -> bool:
        """Whether it may be tried: the robot is upright and does not walk."""
        return self.upright(state) and self._speed <= self._config.max_speed

    def start(self, target: Array) -> None:
        """See :meth:`StandingController.start`."""
        self._from = np.array(target, dtype=np.float64)
        self._elapsed = 0.0

    def target(self, state: RobotState, dt: float) -> Array:
        """See :meth:`StandingController.target`; the joints' state is not used."""
        self._elapsed += dt
        share = min(1.0, self._elapsed / self._config.blend_time)
        share = share * share * (3.0 - 2.0 * share)
        target = (1.0 - share) * self._from + share * self._stand
        lean, rate = lean_and_rate(state)
        push = self._config.tilt_gain * lean + self._config.rate_gain * rate  # (2,)
        target[self._pitch] += push[0]
        target[self._roll] += push[1]
        return target

    @property
    def gains(self) -> tuple[float, float]:
        """Factors of the policy's stiffness and damping now."""
        share = min(1.0, self._elapsed / self._config.gain_time)
        return 1.0 + share * (self._config.kp_scale - 1.0), 1.0 + share * (self._config.kd_scale - 1.0)


def lean_and_rate(state: RobotState) -> tuple[Array, Array]:
    """Lean of the pelvis forward and to the right [rad], shape (2,), and its angular velocity about y and x [rad/s].

    With u the vertical in the pelvis's axes, a lean forward by a gives u = (-sin a, 0, cos a), to the right
    u = (0, sin a, cos a).
    """
    up = vertical_b(state.root_quat_w)
    turning = to_body(state.root_quat_w, state.root_ang_vel_w)
    lean = np.array([math.atan2(-up[0], up[2]), math.atan2(up[1], up[2])])
    return lean, np.array([turning[1], turning[0]])
