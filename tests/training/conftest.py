"""A tiny made-up data set, in memory and on disk, and a tiny training run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1

from tests.reference.made_up_walk import frames

COLLECTION = {"expert": "fastsac_walker", "physics": {"action_delay": [0.0, 0.03]}}
LENGTHS = (90, 60, 12, 150, 75)
"""One episode is too short for a window."""


def make_dataset(lengths=LENGTHS, command=None, seed: int = 0):
    """A ``store.Dataset`` of made-up episodes."""
    from beyondmimic_training.store import Dataset, describe

    parts = [
        frames(n, g1.NUM_JOINTS, len(g1.KEY_POINTS), seed + i, None if command is None else command[i])
        for i, n in enumerate(lengths)
    ]
    starts = np.cumsum([0, *lengths[:-1]])
    rows = tuple({"start": int(s), "length": int(n)} for s, n in zip(starts, lengths, strict=True))
    joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return Dataset(describe(COLLECTION, "abc"), joined, starts, np.array(lengths), rows)


@pytest.fixture(scope="session")
def made_up_dataset() -> Callable:
    return make_dataset


@pytest.fixture(scope="session")
def walk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data on disk; do not change it."""
    from beyondmimic_training.store import DatasetWriter, describe

    folder = tmp_path_factory.mktemp("walk")
    writer = DatasetWriter(folder, describe(COLLECTION, "abc"))
    writer.write_shard(
        [(frames(n, g1.NUM_JOINTS, len(g1.KEY_POINTS), i), {"expert": "made up"}) for i, n in enumerate(LENGTHS)], {}
    )
    return folder


@pytest.fixture
def tiny_config(walk_folder: Path, tmp_path: Path):
    """A run of six steps that takes a moment."""
    from beyondmimic_training.config import ModelConfig, TrainConfig

    return TrainConfig(
        data=(str(walk_folder),),
        out=str(tmp_path / "run"),
        steps=6,
        batch_size=8,
        warmup_steps=2,
        precision="fp32",
        compile=False,
        log_every=2,
        validate_every=1000,
        model=ModelConfig(history_len=2, horizon=4, action_horizon=2, width=16, num_layers=1, num_heads=2),
    )


@pytest.fixture
def tiny_trainer(tiny_config) -> Callable:
    """Makes trainers of the tiny run, with fields of its configuration changed."""
    pytest.importorskip("torch")
    from beyondmimic_training.train import make_trainer

    return lambda **changes: make_trainer(replace(tiny_config, **changes))
