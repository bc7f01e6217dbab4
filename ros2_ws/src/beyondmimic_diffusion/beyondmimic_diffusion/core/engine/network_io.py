"""Names, shapes and types of the network's inputs and outputs for every backend (table: ``onnx_backend.py``)."""

from __future__ import annotations

import numpy as np

from ..types import Conditioning, Levels, Sample
from .manifest import PolicyManifest

INPUT_NAMES = ("states", "actions", "history", "current", "state_levels", "action_levels")
OUTPUT_NAMES = ("clean_states", "clean_actions")
_WHOLE = ("state_levels", "action_levels")


def input_shapes(manifest: PolicyManifest) -> dict[str, tuple[int, ...]]:
    """Shape of each input without its batch axis."""
    horizon, action_horizon = manifest.horizon, manifest.action_horizon
    state_dim, action_dim = manifest.state_dim, manifest.action_dim
    return {
        "states": (horizon, state_dim),
        "actions": (action_horizon, action_dim),
        "history": (manifest.history_len, state_dim + action_dim),
        "current": (state_dim,),
        "state_levels": (horizon,),
        "action_levels": (action_horizon,),
    }


def output_shapes(manifest: PolicyManifest) -> dict[str, tuple[int, ...]]:
    """Shape of each output without its batch axis."""
    inputs = input_shapes(manifest)
    return {"clean_states": inputs["states"], "clean_actions": inputs["actions"]}


def dtype_of(name: str) -> np.dtype:
    """Levels are whole numbers, everything else is single precision."""
    return np.dtype(np.int64 if name in _WHOLE else np.float32)


def feed_of(sample: Sample, conditioning: Conditioning, levels: Levels) -> dict[str, np.ndarray]:
    """The inputs by name, contiguous and of their types."""
    values = (sample.states, sample.actions, *conditioning, *levels)
    return {name: np.ascontiguousarray(value, dtype_of(name)) for name, value in zip(INPUT_NAMES, values, strict=True)}
