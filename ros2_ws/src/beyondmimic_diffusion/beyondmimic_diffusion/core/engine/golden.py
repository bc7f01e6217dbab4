"""Golden vectors: inputs stored with the outputs they gave at export, to be compared on the machine that runs them.

They catch what hashes cannot: a runtime that computes something else on this machine. ``golden.npz`` holds one array
per input and output name of ``onnx_backend.py``.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from ..errors import ArtifactError
from ..protocols import Denoiser
from ..types import Conditioning, Levels, Sample
from .manifest import PolicyManifest

GOLDEN_FILE = "golden.npz"
GOLDEN_TOLERANCE = 1e-3
"""Largest difference in normalised units: a hundred times what float32 sums in another order make, and far below
what any wrong weight makes."""
INT8_TOLERANCE = 0.3
"""For 8-bit weights: twice the largest difference that the shipped policy has on the random inputs of its golden
vectors (0.13, with and without VNNI instructions). What they do in closed loop is measured, not bounded here."""
INT8_RMS_TOLERANCE = 0.06
"""Likewise for the root mean square, which separates better: rounding to 8 bits gives 0.025, sums that saturate in
16 bits give 0.2."""


class GoldenVectorError(ArtifactError):
    """The golden vectors do not hold: the model computes something else here."""


_NAMES = (
    "states", "actions", "history", "current", "state_levels", "action_levels", "clean_states", "clean_actions",
)  # fmt: skip


def make_golden(manifest: PolicyManifest, denoiser: Denoiser, seed: int = 0, batch: int = 2) -> dict[str, np.ndarray]:
    """Random inputs of the manifest's sizes, and what ``denoiser`` makes of them."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((batch, *shape), np.float32)

    state_dim, action_dim = manifest.state_dim, manifest.action_dim
    levels = manifest.num_denoising_steps
    inputs = {
        "states": normal(manifest.horizon, state_dim),
        "actions": normal(manifest.action_horizon, action_dim),
        "history": normal(manifest.history_len, state_dim + action_dim),
        "current": normal(state_dim),
        "state_levels": rng.integers(0, levels, (batch, manifest.horizon)),
        "action_levels": rng.integers(0, levels, (batch, manifest.action_horizon)),
    }
    clean = _run(denoiser, inputs)
    return {**inputs, "clean_states": clean.states, "clean_actions": clean.actions}


def save_golden(folder: str | Path, golden: dict[str, np.ndarray]) -> Path:
    """Write golden vectors into a policy folder; returns the file."""
    path = Path(folder) / GOLDEN_FILE
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **golden)
    return path


def check_golden(
    folder: str | Path, denoiser: Denoiser, tolerance: float = GOLDEN_TOLERANCE, rms_tolerance: float = math.inf
) -> float:
    """Compare ``denoiser`` with the stored vectors; returns the largest difference (normalised units).

    Args:
        folder: Policy folder.
        denoiser: What is to be proved.
        tolerance: Largest difference allowed.
        rms_tolerance: Largest root mean square of the differences allowed.

    Raises:
        GoldenVectorError: Another result.
        ArtifactError: No file, or a damaged one.
    """
    path = Path(folder) / GOLDEN_FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            golden = {name: stored[name] for name in _NAMES}
    except FileNotFoundError:
        raise ArtifactError(f"no golden vectors {path}; copy the policy folder again") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"golden vectors {path} are damaged ({error}); copy the policy folder again") from error
    clean = _run(denoiser, golden)
    errors = np.concatenate(
        [(clean.states - golden["clean_states"]).ravel(), (clean.actions - golden["clean_actions"]).ravel()]
    )
    worst, rms = float(np.max(np.abs(errors))), float(np.sqrt(np.mean(np.square(errors))))
    if not (worst <= tolerance and rms <= rms_tolerance):  # also refuses NaN
        found = f"{worst:.3g}, allowed are {tolerance:g}"
        if rms_tolerance < math.inf:
            found = f"{worst:.3g} (root mean square {rms:.3g}), allowed are {tolerance:g} ({rms_tolerance:g})"
        raise GoldenVectorError(
            f"the model gives other results here than where it was exported: golden vectors {path} differ by "
            f"{found}; model, vectors or runtime are not those of the export"
        )
    return worst


def _run(denoiser: Denoiser, inputs: dict[str, np.ndarray]) -> Sample:
    return denoiser(
        Sample(inputs["states"], inputs["actions"]),
        Conditioning(inputs["history"], inputs["current"]),
        Levels(inputs["state_levels"], inputs["action_levels"]),
    )
