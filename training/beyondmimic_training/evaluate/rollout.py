"""One batch of episodes from the first pose to the end, for whatever controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array

from .controllers import TICKS_PER_SETPOINT, Controller, ExpertDriver
from .fleet import CONTROL_DT, Fleet
from .judge import TRACE_DT, Trace
from .suites import LEAD_IN, EpisodeSpec

START = 10.0
"""Stamp at which the tested controller takes over [s]."""
Progress = Callable[[float], object]
"""Told how many seconds of robot time have passed since it was last told."""


def run_episodes(
    specs: Sequence[EpisodeSpec],
    fleet: Fleet,
    controller: Controller,
    driver: ExpertDriver | None,
    progress: Progress | None = None,
) -> list[Trace]:
    """Live through one episode per robot; all end when the longest does.

    Args:
        specs: One per robot.
        fleet: At least as many robots.
        controller: What is put to the test.
        driver: The expert, which leads in the robots that start walking; None where no episode of the suite does.
        progress: Told of robot time.
    """
    fleet.place(specs)
    controller.begin(specs, fleet)
    if driver is not None:
        _lead_in(specs, fleet, controller, driver)
    recorder = _Recorder(len(specs))
    ticks = round(max(spec.duration for spec in specs) / CONTROL_DT)
    wanted = None
    for tick in range(ticks):
        if tick % TICKS_PER_SETPOINT == 0:
            time = tick * CONTROL_DT
            _kick(specs, fleet, time)
            fleet.take_out_the_fallen(specs)
            recorder.record(fleet)
            if progress is not None:
                progress(len(specs) * TRACE_DT)
            if not fleet.alive.any():
                break
            wanted = _wanted(specs, time)
        controller.act(tick, START + tick * CONTROL_DT, fleet, wanted)
        fleet.advance(fleet.standing)
    fleet.take_out_the_fallen(specs)
    return recorder.traces(specs, fleet)


def _lead_in(specs: Sequence[EpisodeSpec], fleet: Fleet, controller: Controller, driver: ExpertDriver) -> None:
    """The expert walks with the robots that start walking; the others stay in their first pose until the start."""
    walking = np.array([spec.lead_in is not None for spec in specs])
    rows = np.flatnonzero(walking).tolist()
    wanted = np.array([spec.lead_in or (0.0, 0.0, 0.0) for spec in specs])
    driver.reset(fleet)
    for step in range(-round(LEAD_IN / TRACE_DT), 0):
        stamp = START + step * TRACE_DT
        controller.sense(stamp, fleet, rows)
        targets = driver.drive(stamp, fleet, rows, wanted)
        controller.watch(stamp, fleet, np.where(walking[:, None], targets, g1.DEFAULT_JOINT_POS))
        for tick in range(TICKS_PER_SETPOINT):
            if tick:
                controller.sense(stamp + tick * CONTROL_DT, fleet, rows)
            fleet.advance(rows)


def _kick(specs: Sequence[EpisodeSpec], fleet: Fleet, time: float) -> None:
    for row in fleet.standing:
        for kick in specs[row].kicks:
            if abs(kick.time - time) < 0.5 * TRACE_DT:
                fleet.sims[row].push(np.array(kick.delta_v_w))


def _wanted(specs: Sequence[EpisodeSpec], time: float) -> Array | None:
    """Commands in force (B, 3), None in a suite without."""
    commands = [spec.command_at(time) for spec in specs]
    if all(command is None for command in commands):
        return None
    return np.array([command or (0.0, 0.0, 0.0) for command in commands])


class _Recorder:
    """Frames of 20 ms, cut per robot at its fall or its end."""

    def __init__(self, rows: int):
        self._qpos: list[Array] = []
        self._velocity: list[Array] = []
        self._frames = np.zeros(rows, dtype=int)

    def record(self, fleet: Fleet) -> None:
        qpos, qvel = fleet.coordinates()
        self._qpos.append(qpos.astype(np.float32))
        self._velocity.append(qvel[:, :3].astype(np.float32))
        self._frames += fleet.alive

    def traces(self, specs: Sequence[EpisodeSpec], fleet: Fleet) -> list[Trace]:
        qpos, velocity = np.stack(self._qpos, axis=1), np.stack(self._velocity, axis=1)
        traces = []
        for row, spec in enumerate(specs):
            whole = round(spec.duration / TRACE_DT)
            length = min(whole, int(self._frames[row]))
            fell = length < whole or (not fleet.alive[row] and int(self._frames[row]) <= whole)
            traces.append(Trace(qpos[row, :length], velocity[row, :length], bool(fell)))
        return traces
