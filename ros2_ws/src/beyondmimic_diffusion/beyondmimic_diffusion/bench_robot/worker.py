"""One process of the benchmark: the made-up robot, or an executor that ticks by one of the ways."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.execution import ActionExecutor, ExecutorConfig, ExecutorMode
from ..core.execution.measured import measured_state
from ..core.execution.robot_limits import g1_ankles, g1_limits
from ..core.robot import g1
from ..core.types import Plan, RobotState
from ..robot_io.unitree_dds import LOW_CMD, LOW_STATE, Participant, RawReader, RawWriter
from ..robot_io.unitree_wire import LowState, encode_low_state
from ..ros.lifecycle import prefer_realtime
from .ways import INTERFACE, WAYS, Way

PERIOD = 0.002
"""Of states and ticks [s]."""
PARTS: tuple[str, ...] = ("samples", "executor", "write")
"""What the tick's thread does, in this order."""
_SETPOINT_DT = 0.02
_SETPOINTS = 16
_PLAN_TICKS = 20
"""A new plan every 40 ms."""
_REALTIME = 20
_GIVE_UP = 120.0
"""Time for discovery and blending on a slow machine [s]."""


def robot(domain: int, core: int) -> None:
    """Send LowState at 500 Hz and take LowCmd, until stdin is closed."""
    os.sched_setaffinity(0, {core})
    participant = Participant(domain, INTERFACE)
    writer = RawWriter(participant, LOW_STATE)
    reader = RawReader(participant, LOW_CMD, lambda cdr: None)
    stopped = _stdin_closed()
    joints, zero = np.array(g1.DEFAULT_JOINT_POS), np.zeros(g1.NUM_JOINTS)
    for tick in _grid(lambda: not stopped()):
        upright = np.array([1.0, 0.0, 0.0, 0.0])
        gravity, rest = np.array([0.0, 0.0, 9.81]), np.zeros(3)
        temperature = np.full((g1.NUM_JOINTS, 2), 30.0)
        errors = np.zeros(g1.NUM_JOINTS, np.uint32)
        imu = (upright, rest, gravity, rest, 30)
        state = LowState(2 * tick, 0, 5, *imu, joints, zero, zero, temperature, zero, errors)
        writer.write(encode_low_state(state))
    reader.close()


def _stdin_closed() -> Callable[[], bool]:
    import select

    return lambda: bool(select.select([sys.stdin], [], [], 0.0)[0])


def _grid(goes_on: Callable[[], bool]) -> Any:
    """Numbers of ticks that are due; those whose time has passed are skipped."""
    start = time.monotonic()
    tick = 0
    while goes_on():
        tick = max(tick + 1, int((time.monotonic() - start) / PERIOD))
        time.sleep(max(0.0, start + tick * PERIOD - time.monotonic()))
        yield tick


class Player:
    """An executor that plays plans of standing still."""

    def __init__(self) -> None:
        config = ExecutorConfig(blend_time=0.1, control_rate_hz=1.0 / PERIOD)
        stand = np.array(g1.DEFAULT_JOINT_POS)
        standing = g1_ankles(config.standing, stand)
        self.executor = ActionExecutor(config, g1_limits(), np.array(g1.KP), np.array(g1.KD), stand, standing)
        self._still = np.tile(stand, (_SETPOINTS, 1))
        self._plans = 0

    def keep_playing(self, now: float, state: RobotState | None) -> None:
        """Arm it whenever it has stopped: a machine that is too slow shall not make its ticks cheap."""
        if self.executor.mode in (ExecutorMode.DAMPING, ExecutorMode.FAULT):
            self.executor.disarm()
        if self.executor.mode is ExecutorMode.DISARMED:
            self.executor.arm(now, state)

    def plan(self, now: float) -> None:
        """Give it the next plan."""
        end = now + _SETPOINTS * _SETPOINT_DT
        plan = Plan(self._plans, 1, now, now, _SETPOINT_DT, self._still, _SETPOINTS, 1, end)
        self.executor.accept(plan, now)
        self._plans += 1


def ticks(way_name: str, domain: int, core: int, seconds: float) -> dict[str, Any]:
    """Tick by one way; returns CPU time by part [us] and the ticks' lateness [ms]."""
    os.sched_setaffinity(0, {core})  # threads made from here on stay there, too
    way: Way = WAYS[way_name](domain)
    player = Player()
    realtime = prefer_realtime(_REALTIME)
    sys.setswitchinterval(5e-4)
    _settle(way, player)
    gc.collect()
    gc.disable()
    spent = dict.fromkeys(PARTS, 0.0)
    late: list[float] = []
    received, process, own = way.received, time.process_time(), time.thread_time()
    start = time.monotonic()
    count = int(seconds / PERIOD)
    due, missed, playing = start, 0, 0
    while len(late) < count:
        due += PERIOD
        time.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        late.append(now - due)
        skipped = int((now - due) / PERIOD)
        missed, due = missed + skipped, due + skipped * PERIOD
        _tick(way, player, len(late), now, spent)
        playing += player.executor.mode is ExecutorMode.TRACKING
    process, own = time.process_time() - process, time.thread_time() - own
    states = way.received - received
    costs = {name: 1e6 * value / count for name, value in spent.items()}
    costs["loop"] = 1e6 * (own - sum(spent.values())) / count
    costs["receive"] = 1e6 * (process - own) / max(states, 1)  # per state: a way that is too slow misses some
    return {
        "playing": playing,
        "cpu_us": costs,
        "core_share": (process / (time.monotonic() - start)),
        "late_ms": {f"p{q}": 1e3 * float(np.percentile(late, q)) for q in (50, 99, 100)},
        "ticks": count,
        "missed": missed,
        "states": states,
        "realtime": realtime or "SCHED_FIFO",
    }


def _tick(way: Way, player: Player, number: int, now: float, spent: dict[str, float]) -> None:
    times = [time.thread_time()]
    samples = way.read()
    times.append(time.thread_time())
    if number % _PLAN_TICKS == 0:
        player.plan(now)
    state = None if samples is None else measured_state(*samples)
    player.keep_playing(now, state)
    command, _ = player.executor.tick(now, now, state)
    times.append(time.thread_time())
    way.write(command)
    times.append(time.thread_time())
    for part, begun, ended in zip(PARTS, times, times[1:], strict=False):
        spent[part] += ended - begun


def _settle(way: Way, player: Player) -> None:
    """Go on until the robot is heard and plans are played."""
    give_up, number = time.monotonic() + _GIVE_UP, 0
    unused = dict.fromkeys(PARTS, 0.0)
    while player.executor.mode is not ExecutorMode.TRACKING:
        time.sleep(PERIOD)
        now, number = time.monotonic(), number + 1
        _tick(way, player, number, now, unused)
        if now > give_up:
            raise TimeoutError(f"the executor is in {player.executor.mode.name}: {player.executor.reason.sentence}")


def main(words: list[str]) -> None:
    """``robot DOMAIN CORE`` or ``ours|sdk DOMAIN CORE SECONDS``."""
    role, domain, core = words[0], int(words[1]), int(words[2])
    if role == "robot":
        robot(domain, core)
    else:
        sys.stdout.write("\n" + json.dumps(ticks(role, domain, core, float(words[3]))) + "\n")
        sys.stdout.flush()
        os._exit(0)  # the SDK's threads never end


if __name__ == "__main__":
    main(sys.argv[1:])
