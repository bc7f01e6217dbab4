"""Scenes as YAML files."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..errors import GoalError
from .scene import Scene


def save_scene(scene: Scene, path: Path | str) -> None:
    """Write a scene; its folder must exist."""
    Path(path).write_text(yaml.safe_dump(scene.to_dict(), sort_keys=False, default_flow_style=None), encoding="utf-8")


def load_scene(path: Path | str) -> Scene:
    """Read a scene.

    Raises:
        GoalError: No such file, not YAML, or not a scene; the text names the file.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GoalError(f"scene file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise GoalError(f"scene file {path} is not YAML: {error}") from error
    try:
        return Scene.from_dict(content)
    except GoalError as error:
        raise GoalError(f"scene file {path}: {error}") from error
