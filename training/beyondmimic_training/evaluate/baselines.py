"""Hierarchical baselines: the expert walker under controllers that command its velocity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from beyondmimic_diffusion.core.guidance.sdf import SignedDistance
from beyondmimic_diffusion.core.rotations import rotate_yaw, wrap_angle, yaw_of
from beyondmimic_diffusion.core.route import Route, RoutePlanner
from beyondmimic_diffusion.core.types import Array

from .controllers import TICKS_PER_SETPOINT, ExpertDriver
from .fleet import Fleet
from .reference_motion import Keyframe
from .rollout import START
from .suites import Command, Start
from .task_suites import TaskSpec

SPEED = 0.5
"""Commanded speed [m/s]; the expert makes 0.35 of it, about as much as the policy under guidance."""
SIDEWAYS, TURNING = 0.4, 0.8
"""Largest lateral command [m/s] and yaw rate [rad/s]."""
TURN_GAIN = 1.5
"""Yaw rate per error of heading [1/s]."""
SLOW = 0.7
"""Distance from which the command falls [m]."""
AT_REST = 0.15
"""Within this of the goal it is told to stand [m]."""
ALIGN = 0.6
"""Nearer than this it walks in any direction instead of turning to the goal [m]."""
FIELD_REACH, FIELD_BODY, FIELD_GAIN = 0.8, 0.35, 0.06
"""A pelvis nearer to an obstacle than the first is pushed; one at the second touches it [m]; strength [m^2/s]."""
_PELVIS = 0.75
"""Height at which the potential field is felt [m]."""


class Pilot(Protocol):
    """Commands a walker's velocity."""

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """Forward, left [m/s] and yaw rate [rad/s], ``time`` seconds after the start."""
        ...


class WaypointPilot:
    """Turns to the goal, walks there, slows down, stands; along a route if it is given one."""

    def __init__(self, target_xy_w: tuple[float, float], heading_w: float | None = None, route: Route | None = None):
        self._target, self._heading, self._route = np.asarray(target_xy_w), heading_w, route

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """See :class:`Pilot`."""
        aim = self._target if self._route is None else self._route.ahead(xy_w)
        left = float(np.linalg.norm(self._target - xy_w)) if self._route is None else self._route.remaining(xy_w)
        pull = aim - xy_w
        wish = pull / max(float(np.linalg.norm(pull)), 1e-6) * SPEED * min(1.0, left / SLOW)
        return steer(wish, yaw, left, self._heading)


class FieldPilot:
    """A potential field: the goal pulls, obstacles push (Khatib 1986, on velocities); it knows no way round."""

    def __init__(self, target_xy_w: tuple[float, float], sdf_w: SignedDistance | None, heading_w: float | None = None):
        self._target, self._sdf, self._heading = np.asarray(target_xy_w), sdf_w, heading_w

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """See :class:`Pilot`."""
        pull = self._target - xy_w
        left = float(np.linalg.norm(pull))
        push = field_push(self._sdf, xy_w, time)
        wish = pull / max(left, 1e-6) * SPEED * min(1.0, left / SLOW) + push
        length = float(np.linalg.norm(wish))
        return steer(wish * min(1.0, SPEED / max(length, 1e-6)), yaw, left + float(np.linalg.norm(push)), self._heading)


class KeyframePilot:
    """Goes to where the pelvis is in the next keyframe, as fast as its time asks for; limbs do as they like."""

    SHORTEST = 0.3
    """Time to the keyframe that is reckoned with at least [s]."""

    def __init__(self, keyframes: Sequence[Keyframe]):
        self._keyframes = keyframes

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """See :class:`Pilot`."""
        following = next((k for k in self._keyframes if k.time > time), None)
        if following is None:
            return 0.0, 0.0, 0.0
        left = max(following.time - time, self.SHORTEST)
        forward, aside = rotate_yaw((following.state.root_pos_w[:2] - xy_w) / left, np.asarray(-yaw))
        turn = float(wrap_angle(float(yaw_of(following.state.root_quat_w)) - yaw)) / left
        return (
            float(np.clip(forward, -0.8, 0.8)),
            float(np.clip(aside, -SIDEWAYS, SIDEWAYS)),
            float(np.clip(turn, -TURNING, TURNING)),
        )


class TimedStick:
    """A velocity command for a while, then to stand; it knows nothing of where the robot is."""

    def __init__(self, command: Command, until: float):
        self._command, self._until = command, until

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """See :class:`Pilot`."""
        return self._command if time < self._until else (0.0, 0.0, 0.0)


class FieldStick:
    """A velocity command with the field's push added."""

    def __init__(self, command: Command, sdf_w: SignedDistance | None):
        self._command, self._sdf = command, sdf_w

    def command(self, time: float, xy_w: Array, yaw: float) -> Command:
        """See :class:`Pilot`."""
        forward, left = rotate_yaw(field_push(self._sdf, xy_w, time), np.asarray(-yaw))
        ahead, aside, turn = self._command
        return ahead + float(forward), float(np.clip(aside + left, -SIDEWAYS, SIDEWAYS)), turn


def field_push(sdf_w: SignedDistance | None, xy_w: Array, time: float) -> Array:
    """Repulsion [m/s], shape (2,): gain (1/d - 1/reach) / d along the gradient, d the clearance beyond the body."""
    if sdf_w is None:
        return np.zeros(2)
    distance, gradient = sdf_w.query(np.array([*xy_w, _PELVIS]), time)
    reach, clear = FIELD_REACH - FIELD_BODY, max(float(distance) - FIELD_BODY, 0.05)
    if clear >= reach:
        return np.zeros(2)
    return FIELD_GAIN * (1.0 / clear - 1.0 / reach) * gradient[:2]


def steer(wish_w: Array, yaw: float, left: float, heading_w: float | None) -> Command:
    """A wished velocity as a command: far from the goal the robot turns to where it goes, near it the feet just step.

    Args:
        wish_w: [m/s], shape (2,).
        yaw: Heading [rad].
        left: Way left [m].
        heading_w: Heading to take near the goal [rad]; None: any.
    """
    turn_to = float(np.arctan2(wish_w[1], wish_w[0])) if left > ALIGN else yaw if heading_w is None else heading_w
    error = float(wrap_angle(turn_to - yaw))
    forward, aside = (float(v) for v in rotate_yaw(wish_w, np.asarray(-yaw)))
    if left < AT_REST:
        forward = aside = 0.0
    turn = float(np.clip(TURN_GAIN * error, -TURNING, TURNING)) if abs(error) > 0.1 else 0.0
    if left > ALIGN and abs(error) > 0.8:
        forward = aside = 0.0  # turns first
    return forward, float(np.clip(aside, -SIDEWAYS, SIDEWAYS)), turn


def make_pilot(name: str, spec: TaskSpec) -> Pilot:
    """Pilot of a reference row: ``expert`` goes straight, ``expert-route`` on a route, ``expert-field`` by force.

    With keyframes ``expert-chase`` follows their places, ``expert-command`` the command that once led to them.
    """
    scenario = spec.scenario
    scene = scenario.scene
    if scenario.keyframes and scenario.command is not None:
        chase = name == "expert-chase"
        last = scenario.keyframes[-1].time
        return KeyframePilot(scenario.keyframes) if chase else TimedStick(scenario.command, last)
    if scenario.command is not None:
        return FieldStick(scenario.command, scenario.sdf_w if name == "expert-field" else None)
    assert scene.goal is not None
    if name == "expert-field":
        return FieldPilot(scene.goal, scenario.sdf_w, scene.goal_heading)
    if name == "expert-route":
        route = RoutePlanner(scene.map()).route(np.array(spec.xy_w), np.array(scene.goal))
        return WaypointPilot(scene.goal, scene.goal_heading, route)
    return WaypointPilot(scene.goal, scene.goal_heading)


class PilotedExpert:
    """One expert walker under a pilot: no planner, no latency, no filter."""

    def __init__(self, driver: ExpertDriver, pilot: Pilot):
        self._driver, self._pilot = driver, pilot
        self.starved = np.zeros(1, dtype=int)

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """See :class:`~.controllers.Controller`."""
        self._driver.reset(fleet)

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`~.controllers.Controller`; it sees the truth."""

    def watch(self, stamp: float, fleet: Fleet, targets: Array) -> None:
        """See :class:`~.controllers.Controller`; nobody leads it in."""

    def act(self, tick: int, stamp: float, fleet: Fleet, wanted: Array | None) -> None:
        """See :class:`~.controllers.Controller`."""
        if tick % TICKS_PER_SETPOINT == 0:
            qpos, _ = fleet.coordinates()
            command = self._pilot.command(stamp - START, qpos[0, :2], float(yaw_of(qpos[0, 3:7])))
            self._driver.drive(stamp, fleet, [0], np.array([command]))
