"""One episode with a task, from the first pose to its end, for whatever controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import yaw_of
from beyondmimic_diffusion.core.types import Array
from beyondmimic_diffusion.sim.witness import Witness

from .conditions import Conditions
from .controllers import TICKS_PER_SETPOINT, Controller
from .finish import Track
from .fleet import CONTROL_DT, Fleet
from .judge import TRACE_DT, Trace
from .reference_motion import keyframe_errors
from .rollout import START, Progress
from .task_suites import TaskSpec

AFTERMATH = 1.0
"""How long a robot must stay on its feet, untouched, after it is done [s]."""


@dataclass(frozen=True)
class TaskTrace:
    """One episode as it was lived."""

    trace: Trace
    clearance: Array
    """Of the nearest key point's sphere in each frame [m], shape (T,); infinite without obstacles."""
    contact: str
    """Who touched what, in the physics; empty: nobody."""
    done_at: float | None
    """When the finish came true [s]."""
    left: float
    """What was left to do in the last frame [m]."""
    gave_up: str
    """Why the task itself ended before its time; empty: it did not."""
    keyframe_errors: Array = field(default_factory=lambda: np.zeros(0))
    """Mean distance of the key points from their places in each keyframe that was lived to see [m], shape (K,)."""
    route_xy_w: Array | None = None
    """The route in use at the end [m], shape (P, 2); None without."""

    @property
    def grazed(self) -> bool:
        """Whether a key point's sphere came into an obstacle."""
        return bool(np.min(self.clearance, initial=np.inf) < 0.0)


def run_task(
    spec: TaskSpec,
    controller: Controller,
    kinematics: Kinematics,
    physics_dt: float,
    gave_up: Callable[[], str],
    progress: Progress | None = None,
    *,
    sensors: bool = False,
    conditions: Conditions | None = None,
) -> TaskTrace:
    """Live through an episode; it ends after the finish and its aftermath, a touch, a fall or the time limit.

    Args:
        spec: Start, scene, finish.
        controller: What is put to the test.
        kinematics: For the key points.
        physics_dt: Time step of the physics [s].
        gave_up: Why the task has ended without success; empty while it goes on.
        progress: Told of robot time.
        sensors: The robot has an IMU, for a controller that needs one.
        conditions: How robot and floor differ from the nominal ones.
    """
    obstacles = [obstacle.sdf() for obstacle in spec.scenario.scene.obstacles]
    fleet = Fleet(1, physics_dt, obstacles, sensors=sensors, conditions=conditions)
    fleet.place([spec])
    controller.begin([spec], fleet)
    observer = _Observer(spec, fleet, kinematics)
    for tick in range(round(spec.duration / CONTROL_DT) + round(AFTERMATH / CONTROL_DT)):
        time = tick * CONTROL_DT
        if tick % TICKS_PER_SETPOINT == 0:
            if fleet.is_down(0):
                break
            observer.look(time)
            if progress is not None:
                progress(TRACE_DT)
            if observer.over(time) or gave_up():
                break
        controller.act(tick, START + time, fleet, None)
        fleet.advance([0])
        observer.witness.look()
    return observer.trace(fleet.is_down(0), gave_up())


class _Observer:
    """Records frames of 20 ms and says when the episode is over."""

    def __init__(self, spec: TaskSpec, fleet: Fleet, kinematics: Kinematics):
        self._spec, self._fleet, self._kinematics = spec, fleet, kinematics
        self._sdf = spec.scenario.sdf_w
        self._qpos: list[Array] = []
        self._velocity: list[Array] = []
        self._clearance: list[float] = []
        self._left = np.inf
        self.witness = Witness(fleet.sims[0])
        self.done_at: float | None = None

    def look(self, time: float) -> None:
        qpos, qvel = self._fleet.coordinates()
        self._qpos.append(qpos[0])
        self._velocity.append(qvel[0, :3])
        self._clearance.append(self._clear(qpos, qvel, time))
        poses = np.array(self._qpos)
        track = Track(poses[:, :2], np.unwrap(yaw_of(poses[:, 3:7])))
        finish = self._spec.scenario.finish
        self._left = finish.left(track)
        if self.done_at is None and finish.done(track):
            self.done_at = time

    def _clear(self, qpos: Array, qvel: Array, time: float) -> float:
        if self._sdf is None:
            return np.inf
        points, _ = self._kinematics.key_points_batch(qpos, qvel)
        return float(np.min(self._sdf.query(points[0], time)[0] - g1.KEY_POINT_RADII))

    def over(self, time: float) -> bool:
        if self.witness.touches or self._clearance[-1] < 0.0:
            return True
        if self.done_at is not None:
            return time >= self.done_at + AFTERMATH
        return time >= self._spec.duration

    def trace(self, fell: bool, gave_up: str) -> TaskTrace:
        trace = Trace(np.array(self._qpos, np.float32), np.array(self._velocity, np.float32), fell)
        errors = keyframe_errors(self._spec.scenario.keyframes, trace.qpos, self._kinematics, TRACE_DT)
        return TaskTrace(trace, np.array(self._clearance), self.witness.last, self.done_at, self._left, gave_up, errors)
