"""What keeps the robot on its feet when plans are lost: what may be tuned about it, and what each way must offer.

Two ways: a policy that steps (``stepping.py``), and ankles that push the weight back over the feet (``ankles.py``).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..parameters import param, validate
from ..types import Array, JointCommand, RobotState
from .modes import Reason
from .watchdog import tilt_angle


@dataclass(frozen=True)
class StandingConfig:
    """What an operator may tune about standing without a plan."""

    enabled: bool = param(True, doc="Try to stand when plans are lost; false: damp.")
    policy: str = param(
        "fastsac_walker",
        doc="Walker that steps to a stand: of holosoma-inference by its name, or an ONNX file; empty: ankles only.",
    )
    resume_time: float = param(
        0.5,
        unit="s",
        lo=0.0,
        hi=5.0,
        doc="How long new plans must have come without a gap before they take over again.",
    )
    min_load: float = param(
        6.0,
        unit="N m",
        lo=0.0,
        hi=100.0,
        doc="Torque stretching both knees together, averaged over load_time, below which it hangs and must not step.",
    )
    load_time: float = param(1.0, unit="s", lo=0.02, hi=5.0, doc="Time constant of that average.")
    max_tilt: float = param(
        math.radians(25.0), unit="rad", lo=0.05, hi=1.0, doc="Tilt beyond which it is not tried, or given up."
    )
    max_speed: float = param(
        1.0,
        unit="rad/s",
        lo=0.05,
        hi=50.0,
        doc="Speed of the fastest joint, averaged over speed_time, beyond which ankles are not tried: the robot walks.",
    )
    speed_time: float = param(0.3, unit="s", lo=0.02, hi=5.0, doc="Time constant of that average.")
    blend_time: float = param(
        0.1, unit="s", lo=0.02, hi=5.0, doc="Time from the last target to the stand pose when plans are lost."
    )
    gain_time: float = param(0.1, unit="s", lo=0.01, hi=5.0, doc="Time in which the gains rise for standing.")
    kp_scale: float = param(3.0, lo=1.0, hi=8.0, doc="Joint stiffness for standing, as a multiple of the policy's.")
    kd_scale: float = param(2.0, lo=1.0, hi=8.0, doc="Joint damping for standing, as a multiple of the policy's.")
    tilt_gain: float = param(2.0, lo=0.0, hi=10.0, doc="Ankle angle per angle of tilt (K).")
    rate_gain: float = param(0.3, unit="s", lo=0.0, hi=3.0, doc="Ankle angle per rate of tilt (D).")

    def __post_init__(self) -> None:
        validate(self)


class StandingController(ABC):
    """Targets and gains without plans; restarted by :meth:`start`."""

    reason: Reason
    """Why the executor is in RETURN_TO_STAND with it."""

    def __init__(self, config: StandingConfig) -> None:
        """
        Args:
            config: Whether it is wanted, and the greatest tilt.
        """
        self._config = config

    @abstractmethod
    def observe(self, state: RobotState, command: JointCommand | None, dt: float) -> None:
        """Take note of how the robot moves and what it bears; called at each tick, whatever the mode.

        Args:
            state: Newest.
            command: The one in force; None before the first.
            dt: Time since the last call [s].
        """

    @abstractmethod
    def possible(self, state: RobotState | None) -> bool:
        """Whether it may be tried."""

    def upright(self, state: RobotState | None) -> bool:
        """Whether it may go on."""
        return self._config.enabled and state is not None and tilt_angle(state.root_quat_w) <= self._config.max_tilt

    @abstractmethod
    def start(self, target: Array) -> None:
        """Begin where the last command was.

        Args:
            target: Its joint positions [rad], shape (J,).
        """

    @abstractmethod
    def target(self, state: RobotState, dt: float) -> Array:
        """Joint targets for this moment [rad], shape (J,).

        Args:
            state: Newest; only the pelvis's orientation and angular velocity, and the joints, are used.
            dt: Time since the last call [s].
        """

    @property
    def gains(self) -> tuple[float, float]:
        """Factors of the policy's stiffness and damping now."""
        return 1.0, 1.0
