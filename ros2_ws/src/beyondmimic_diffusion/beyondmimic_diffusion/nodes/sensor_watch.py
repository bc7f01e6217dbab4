"""What the sensors read and what is estimated from it, judged a few times a second for ``/diagnostics``."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from ..core.execution.robot_limits import g1_sensor_judge
from ..core.plausibility import implausible_estimate
from ..core.types import ImuSample, JointSample, RobotState
from ..robot_io import RobotPort
from ..ros.diagnostics import Diagnosis, Level

_PERIOD = 0.4
"""Less than the half second that is judged at once, so that nothing is missed [s]."""
_LOG_PERIOD = 5.0
"""How often a finding is said in the log [s]."""


class SensorWatch:
    """Holds a judge; samples may come from another thread than ROS's."""

    def __init__(self, node: Node):
        """
        Args:
            node: Whose log tells what is found.
        """
        self._node = node
        self._judge = g1_sensor_judge()
        self._estimate: tuple[RobotState, bool] | None = None
        self._found: dict[str, str] = {}
        self._timer = node.create_timer(_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Look no more."""
        self._node.destroy_timer(self._timer)

    def reset(self) -> None:
        """Time was set, or the estimate starts anew."""
        self._judge.reset()
        self._estimate = None

    def take(self, imu: ImuSample, joints: JointSample) -> None:
        """A pair of samples came."""
        self._judge.take(imu, joints)

    def estimated(self, state: RobotState, on_level_floor: bool) -> None:
        """This is what the estimator makes of them; whether its height is above the floor under the robot."""
        self._estimate = state, on_level_floor

    def diagnose(self, robot: RobotPort) -> Diagnosis:
        """All that was found since the last call, and what is wrong with the robot's messages."""
        found, self._found = self._found, {}
        trouble = robot.sample_trouble()
        if trouble:
            found = {"messages": trouble, **found}
        if found:
            return Diagnosis(Level.ERROR, "; ".join(found.values()), found)
        missing = robot.missing()
        if missing:
            return Diagnosis(Level.STALE, missing)
        watched = "plausible" if self._judge.ready else f"watched for {self._judge.seen:.2f} s so far"
        return Diagnosis(Level.OK, watched)

    def _look(self) -> None:
        found = {finding.reading: str(finding) for finding in self._judge.findings()}
        estimate, self._estimate = self._estimate, None
        trouble = "" if estimate is None else implausible_estimate(*estimate)
        if trouble:
            found["estimate"] = trouble
        self._found |= found
        if found:
            self._node.get_logger().error("; ".join(found.values()), throttle_duration_sec=_LOG_PERIOD)
