"""``train``: data sets in, checkpoint out."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import (
    BodyPosRepresentation,
    JointRotRepresentation,
    Mirror,
    make_representation,
)

from .config import TrainConfig, load_train_config
from .dataset import WindowSource
from .store import Dataset, load_dataset
from .trainer import Trainer
from .world import leave_world

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``."""
    parser.add_argument("--config", type=Path, required=True, help="YAML file, e.g. training/configs/walk.yaml")
    parser.add_argument("--fresh", action="store_true", help="start anew even if the output folder has a checkpoint")
    parser.add_argument("overrides", nargs="*", help="key=value or section.key=value, over the file")


def main(args: argparse.Namespace) -> int:
    """Run ``train``; returns the exit status."""
    config = load_train_config(args.config, args.overrides)
    trainer = make_trainer(config)
    path = trainer.fit(resume=not args.fresh)
    leave_world()
    if trainer.world.leads:
        _log.info("%d steps, %d samples, %.0f s: %s", trainer.step, trainer.samples, trainer.seconds, path)
    return 0


def representation_and_mirror(kind: str) -> tuple[BodyPosRepresentation | JointRotRepresentation, Mirror]:
    """State features of our G1, and their mirror image."""
    representation = make_representation(kind, g1.KEY_POINT_NAMES, g1.JOINT_NAMES)
    mirror = Mirror(representation, g1.MIRROR_KEY_POINT_INDEX, g1.MIRROR_JOINT_INDEX, g1.MIRROR_JOINT_SIGN)
    return representation, mirror


def load_together(paths: tuple[str, ...]) -> Dataset:
    """Several data sets as one.

    Raises:
        DatasetError: None is named, or they differ in joints or key points.
    """
    if not paths:
        raise DatasetError("no data set is named; give data=[DIR] or set 'data' in the configuration")
    parts = [load_dataset(path) for path in paths]
    first = parts[0]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        for key in ("joint_names", "key_points", "control_dt"):
            if part.metadata[key] != first.metadata[key]:
                raise DatasetError(f"data set {path} differs from {paths[0]} in '{key}'; they cannot be mixed")
    if len(parts) == 1:
        return first
    shift = np.cumsum([0, *(len(p.frames["command"]) for p in parts[:-1])])
    collections = {name: settings for p in parts for name, settings in p.metadata["collections"].items()}
    return replace(
        first,
        metadata={**first.metadata, "collections": collections},
        frames={name: np.concatenate([p.frames[name] for p in parts]) for name in first.frames},
        starts=np.concatenate([p.starts + s for p, s in zip(parts, shift, strict=True)]),
        lengths=np.concatenate([p.lengths for p in parts]),
        episodes=tuple(row for p in parts for row in p.episodes),
    )


def make_trainer(config: TrainConfig) -> Trainer:
    """Load the data and set everything up."""
    dataset = load_together(config.data)
    representation, mirror = representation_and_mirror(config.model.state)
    source = WindowSource(dataset, representation, mirror, config.model)
    provenance: dict[str, Any] = {
        "data": list(config.data),
        "hours": round(dataset.hours, 3),
        "episodes": len(dataset.episodes),
        "collect": dataset.metadata["collection"],
        "collections": list(dataset.metadata["collections"].values()),
        "collect_commit": dataset.metadata["git_commit"],
        "joint_names": list(dataset.metadata["joint_names"]),
        "control_dt": dataset.metadata["control_dt"],
    }
    _log.info("%.2f hours in %d episodes", dataset.hours, len(dataset.episodes))
    return Trainer(config, source, provenance)
