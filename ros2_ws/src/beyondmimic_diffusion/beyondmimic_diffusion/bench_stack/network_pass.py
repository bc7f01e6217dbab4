"""Time of one network pass; run as a file, so that it measures the package of whichever checkout is on the path.

    python network_pass.py FOLDER BACKEND

Prints ``{"backend": ..., "cpu": ..., "wall": ...}``, both medians in seconds.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from beyondmimic_diffusion.core.engine.factory import load_policy
from beyondmimic_diffusion.core.engine.golden import make_golden
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample

_ROUNDS, _PASSES = 9, 20


def main() -> None:
    """Time passes with one robot's inputs, in several rounds."""
    policy = load_policy(sys.argv[1], sys.argv[2])
    inputs = make_golden(policy.manifest, policy.denoiser, batch=1)
    sample = Sample(inputs["states"], inputs["actions"])
    conditioning = Conditioning(inputs["history"], inputs["current"])
    levels = Levels(inputs["state_levels"], inputs["action_levels"])
    rounds = []
    for _ in range(_ROUNDS):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(_PASSES):
            policy.denoiser(sample, conditioning, levels)
        rounds.append(((time.process_time() - cpu) / _PASSES, (time.perf_counter() - wall) / _PASSES))
    cpu, wall = np.median(rounds, axis=0)
    sys.stdout.write(json.dumps({"backend": policy.backend_name, "cpu": cpu, "wall": wall}) + "\n")


if __name__ == "__main__":
    main()
