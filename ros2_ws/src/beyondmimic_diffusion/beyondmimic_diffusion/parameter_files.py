"""What ROS 2 parameter files say, for what the start-up must know of it before any node runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .core.errors import ConfigError


def value_in_files(node: str, files: Sequence[str], name: str) -> Any:
    """A node's parameter as the last of some files that has it says; None: none has.

    Args:
        node: Name of the node, without a namespace.
        files: Paths, the later ones count more.
        name: Of the parameter, with dots.

    Raises:
        ConfigError: A file is no YAML.
    """
    found = None
    for file in files:
        try:
            content = yaml.safe_load(Path(file).read_text())
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"parameter file '{file}' cannot be read: {error}") from error
        for key, entry in content.items() if isinstance(content, dict) else ():
            if str(key).rsplit("/", 1)[-1] in (node, "*", "**") and isinstance(entry, dict):
                value = _at(entry.get("ros__parameters"), name)
                found = found if value is None else value
    return found


def _at(tree: Any, name: str) -> Any:
    """The value at a dotted name, however it is nested."""
    if not isinstance(tree, dict):
        return None
    if name in tree:
        return tree[name]
    for key, branch in tree.items():
        if name.startswith(f"{key}."):
            value = _at(branch, name[len(str(key)) + 1 :])
            if value is not None:
                return value
    return None
