"""``python -m scripts.parameters``: write the parameter files in ``config/`` from the nodes' configuration dataclasses.

Each parameter stands there with its default, its sentence, what is allowed, and whether it may be set while the node
runs. The dataclasses are the only place where that is written by hand; ``--check`` says which files differ.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beyondmimic_diffusion.core.parameters import ParamSpec, describe

CONFIG = Path(__file__).resolve().parents[1] / "config"
CLASSES = {
    "mujoco_sim": "SimConfig",
    "state_estimator": "StateEstimatorConfig",
    "diffusion_planner": "DiffusionPlannerConfig",
    "guidance_task_server": "GuidanceTaskServerConfig",
    "action_executor": "ActionExecutorParameters",
    "supervisor": "SupervisorParameters",
}
"""Configuration class of each node, in the node's module."""
SET_BY_START_UP = {"policy"}
"""Left out of the files: only the start-up knows the folder."""
_HEAD = """\
# Parameters of {node}, written by `make params` from the node's dataclass: do not edit, give your own file to
# params_file:= instead. Read at start, but for those marked 'live', which `ros2 param set` changes while it runs.
/**/{node}:
  ros__parameters:
"""


def config_class(node: str) -> type:
    """The dataclass with a node's parameters."""
    return getattr(importlib.import_module(f"beyondmimic_diffusion.nodes.{node}_node"), CLASSES[node])


def parameter_file(node: str) -> str:
    """Text of a node's parameter file."""
    tree: dict[str, Any] = {}
    for spec in describe(config_class(node)):
        if spec.name in SET_BY_START_UP:
            continue
        *groups, name = spec.name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[name] = spec
    return _HEAD.format(node=node) + "".join(f"{line}\n" for line in _lines(tree, "    "))


def main(words: list[str] | None = None) -> int:
    """Entry point; 1 if ``--check`` finds a file that is not what would be written."""
    parser = argparse.ArgumentParser(prog="python -m scripts.parameters", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name the files that differ")
    arguments = parser.parse_args(words)
    different = 0
    for node in CLASSES:
        path, text = CONFIG / f"{node}.param.yaml", parameter_file(node)
        if path.is_file() and path.read_text() == text:
            continue
        different += 1
        if not arguments.check:
            path.write_text(text)
        sys.stdout.write(f"{path.name} {'differs; run make params' if arguments.check else 'written'}\n")
    return int(arguments.check and different > 0)


def _lines(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, entry in tree.items():
        if isinstance(entry, ParamSpec):
            yield f"{indent}# {_comment(entry)}"
            yield f"{indent}{name}: {_value(entry.default)}"
        else:
            yield f"{indent}{name}:"
            yield from _lines(entry, indent + "  ")


def _comment(spec: ParamSpec) -> str:
    """The sentence, then in brackets what is allowed and whether the parameter is live."""
    limited = spec.choices or spec.lo is not None or spec.hi is not None
    notes = [spec.allowed] if limited else [spec.unit] if spec.unit else []
    notes += ["live"] if spec.live else []
    return f"{spec.doc} ({'; '.join(notes)})" if notes else spec.doc


def _value(value: Any) -> str:
    """As YAML; texts in quotes, so that none is taken for something else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return f"[{', '.join(_value(entry) for entry in value)}]"
    if isinstance(value, float) and "e" in repr(value):
        mantissa, exponent = repr(value).split("e")  # YAML 1.1 takes 1e-05 for a text
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
    return repr(value)


if __name__ == "__main__":
    sys.exit(main())
