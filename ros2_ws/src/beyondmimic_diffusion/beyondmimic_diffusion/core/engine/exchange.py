"""Another policy in place of the one that runs: what has to be the same, and what to call a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ArtifactMismatchError, ConfigError
from .factory import LoadedPolicy, load_policy
from .golden import GOLDEN_FILE, GoldenVectorError
from .manifest import MANIFEST_FILE, PolicyManifest

SHARED = (
    *("robot", "mode_machine", "joint_names", "kp", "kd", "default_joint_pos"),  # the executor plays with these
    *("action_kind", "setpoints_per_step", "step_dt", "action_horizon", "delay_range"),
    *("history_len", "horizon", "state_kind", "key_points"),  # histories, goals and clips are made of these
)
"""Fields of the manifest that other nodes have read, too; a policy with others needs a new start of all nodes."""
NOT_FOUND, DAMAGED, MISMATCH, GOLDEN_FAILED = "NOT_FOUND", "DAMAGED", "MISMATCH", "GOLDEN_FAILED"
"""Names of ``LoadEngine.srv``'s codes."""


def load_successor(folder: str | Path, backend: str, current: PolicyManifest) -> LoadedPolicy:
    """Load and prove a policy that may take over while ``current`` plans.

    Raises:
        ArtifactError: It is missing, damaged or gives other results than at its export.
        ArtifactMismatchError: It differs from ``current`` in what the other nodes rely on.
        ConfigError: The backend is not available.
    """
    manifest = PolicyManifest.load(folder) if Path(folder).is_dir() else None
    if manifest is not None:
        check_exchangeable(current, manifest)
    return load_policy(folder, backend)


def check_exchangeable(current: PolicyManifest, successor: PolicyManifest) -> None:
    """Refuse a successor that the rest of the stack was not configured for.

    Raises:
        ArtifactMismatchError: With the first field that differs, and the first entry where it is a list.
    """
    for name in SHARED:
        now, then = getattr(current, name), getattr(successor, name)
        if now == then:
            continue
        raise ArtifactMismatchError(
            f"policy '{successor.name}' has {_difference(name, then, now)} in '{current.name}', which runs, and which "
            f"the other nodes were started with; stop, and start with policy:=FOLDER of '{successor.name}'"
        )


def kind_of(error: Exception, folder: str | Path) -> str:
    """One of the names above for why a successor was refused, or could not run."""
    path = Path(folder)
    if not (path / MANIFEST_FILE).is_file() or not (path / GOLDEN_FILE).is_file() or not any(path.glob("model*")):
        return NOT_FOUND
    if isinstance(error, GoldenVectorError):
        return GOLDEN_FAILED
    return MISMATCH if isinstance(error, (ArtifactMismatchError, ConfigError)) else DAMAGED


def _difference(name: str, then: object, now: object) -> str:
    if isinstance(then, Sequence) and isinstance(now, Sequence) and not isinstance(then, str):
        if len(then) != len(now):
            return f"{len(then)} {name}, there are {len(now)}"
        i = next(i for i, (a, b) in enumerate(zip(then, now, strict=True)) if a != b)
        return f"{name}[{i}] = {then[i]!r}, it is {now[i]!r}"
    return f"{name} = {then!r}, it is {now!r}"
