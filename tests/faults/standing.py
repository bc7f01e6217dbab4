"""How often the robot stays on its feet when plans stop: the table in docs/safety.md.

    python -m tests.faults.standing --n 12

No ROS and no clock: simulator, planner and executor of one robot. Plans stop at another phase of the gait in each
trial; two seconds later the robot is pushed, and at the end plans come again. Once with the walker that steps, and
once on the ankles alone; there the executor's check that the robot does not walk is left out, or there would be nothing
to see.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.engine import LoadedPolicy, load_policy
from beyondmimic_diffusion.core.engine.walker_network import open_standing
from beyondmimic_diffusion.core.execution import ExecutorMode, StandingConfig, tilt_angle

from tests.system.loop import Loop, Moment, upright

WAYS = {"stepping": StandingConfig(), "ankles": StandingConfig(policy="", max_speed=50.0)}
WALKS = {
    "standing": ((0.0, 0.0), 0.0),
    "0.2 m/s forward": ((0.2, 0.0), 0.0),
    "0.5 m/s forward": ((0.5, 0.0), 0.0),
    "0.8 m/s forward": ((0.8, 0.0), 0.0),
    "0.4 m/s back": ((-0.4, 0.0), 0.0),
    "0.3 m/s left": ((0.0, 0.3), 0.0),
    "turning, 0.8 rad/s": ((0.0, 0.0), 0.8),
}
"""Before plans stop."""
_WALK, _PHASE, _BEFORE_PUSH, _AFTER_PUSH, _AGAIN = 2.5, 0.332, 2.0, 4.0, 2.0
"""Walk before the first trial, more of it per trial (no multiple of the gait's period), and the parts after it [s]."""
_REST = 0.15
"""Below this speed it is at rest [m/s]."""


@dataclass(frozen=True)
class Trial:
    """What became of one robot."""

    stood: bool
    """On its feet two seconds after plans stopped."""
    pushed: bool
    """... and four seconds after the push."""
    walked_on: bool
    """... and two seconds after plans came again, following them."""
    rest: float
    """Time until it was at rest, before the push [s]; infinite: it was not."""
    way: float
    """Walked meanwhile [m]."""
    tilt: float
    """Greatest tilt before the push [rad]."""


def trial(policy: LoadedPolicy, config: StandingConfig, walk: str, push: float, number: int) -> Trial:
    """One robot; pushed by ``push`` [m/s], each trial in another direction."""
    loop = Loop(policy)
    loop.stand_with(open_standing(config, policy.manifest))
    command = WALKS[walk]
    loop.run(_WALK + _PHASE * number, *command)
    loop.planning = False
    alone = loop.run(_BEFORE_PUSH, *command)
    angle = 2.4 * number
    loop.push((push * np.cos(angle), push * np.sin(angle)))
    after = loop.run(_AFTER_PUSH, *command)
    loop.planning = True
    again = loop.run(_AGAIN, *command)
    rest, way = _coming_to_rest(alone)
    return Trial(
        stood=upright(alone[-1]),
        pushed=upright(after[-1]),
        walked_on=not loop.fallen and again[-1].mode is ExecutorMode.TRACKING,
        rest=rest,
        way=way,
        tilt=max(tilt_angle(moment.state.root_quat_w) for moment in alone),
    )


def _coming_to_rest(moments: list[Moment]) -> tuple[float, float]:
    """Time and way until the speed stays below :data:`_REST`."""
    speeds = np.array([np.linalg.norm(moment.state.root_lin_vel_w[:2]) for moment in moments])
    fast = np.flatnonzero(speeds >= _REST)
    last = 0 if fast.size == 0 else int(fast[-1]) + 1
    if last == len(moments):
        return np.inf, np.nan
    way = moments[last].state.root_pos_w - moments[0].state.root_pos_w
    return moments[last].time - moments[0].time, float(np.linalg.norm(way[:2]))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.standing")
    parser.add_argument("--n", type=int, default=12, help="phases of the gait at which plans stop")
    parser.add_argument("--push", type=float, default=0.4, help="change of the root's velocity [m/s]")
    parser.add_argument("--way", choices=WAYS, action="append", help="only this one")
    parser.add_argument("--policy", type=Path, default=Path("policies/walk"))
    arguments = parser.parse_args()
    policy = load_policy(arguments.policy, "onnx")
    out = sys.stdout
    out.write(
        "| before plans stop | without plans | on its feet | and after a push | plans again: walks on "
        "| at rest after (longest) | way (longest) | tilt (most) |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    for way in arguments.way or WAYS:
        for walk in WALKS:
            trials = [trial(policy, WAYS[way], walk, arguments.push, number) for number in range(arguments.n)]
            counts = [sum(getattr(t, name) for t in trials) for name in ("stood", "pushed", "walked_on")]
            cells = [f"{count} of {arguments.n}" for count in counts]
            stood = [t for t in trials if t.stood]
            rested = bool(stood) and all(np.isfinite(t.rest) for t in stood)
            cells.append(f"{max(t.rest for t in stood):.1f} s" if rested else "-")
            cells.append(f"{max(t.way for t in stood):.2f} m" if rested else "-")
            cells.append(f"{np.degrees(max(t.tilt for t in stood)):.0f} deg" if stood else "-")
            out.write(f"| {walk} | {way} | {' | '.join(cells)} |\n")
            out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
