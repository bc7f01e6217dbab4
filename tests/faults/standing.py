"""How often the robot stays on its feet when plans stop: the table in docs/safety.md.

    python -m tests.faults.standing --n 12

No ROS and no clock: simulator, planner and executor of one robot. The executor's check that the robot does not walk is
left out, or there would be nothing to see.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.engine import LoadedPolicy, load_policy
from beyondmimic_diffusion.core.execution import ExecutorMode, StandingConfig
from beyondmimic_diffusion.core.execution.robot_limits import g1_standing

from tests.system.loop import Loop, upright

SPEEDS = (0.0, 0.2, 0.5)
"""Before plans stop [m/s]."""
_WALK, _PHASE, _AFTER = 2.5, 0.332, 6.0
"""Walk before the first trial, more of it per trial (no multiple of the gait's period), wait after plans stop [s]."""


def trial(policy: LoadedPolicy, speed: float, number: int) -> tuple[bool, list[ExecutorMode]]:
    """Whether the robot is on its feet at the end, and the modes after plans stopped, in order."""
    config = StandingConfig(max_speed=50.0)
    loop = Loop(policy)
    loop.stand_with(g1_standing(config, np.array(policy.manifest.default_joint_pos)))
    loop.run(_WALK + _PHASE * number, (speed, 0.0))
    loop.planning = False
    after = loop.run(_AFTER, (speed, 0.0))
    return upright(after[-1]), list(dict.fromkeys(moment.mode for moment in after))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.standing")
    parser.add_argument("--n", type=int, default=12, help="phases of the gait at which plans stop")
    parser.add_argument("--policy", type=Path, default=Path("policies/walk"))
    arguments = parser.parse_args()
    policy = load_policy(arguments.policy, "onnx")
    for speed in SPEEDS:
        results = [trial(policy, speed, number) for number in range(arguments.n)]
        up = sum(stayed for stayed, _ in results)
        tried = sum(ExecutorMode.RETURN_TO_STAND in modes for _, modes in results)
        sys.stdout.write(f"{speed} m/s: {up} of {arguments.n} on their feet {_AFTER:.0f} s later, {tried} tried\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
