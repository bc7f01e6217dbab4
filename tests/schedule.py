"""Which test files run side by side: by file, the longest first, and never two whole stacks at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

STACKS = (
    "tests/session/test_sim_session.py",
    "tests/nodes/test_bringup.py",
    "tests/nodes/test_ending_together.py",
    "tests/faults/test_faults.py",
)
"""Files that start the stack with all its processes: two of them together would not keep up on two cores."""
LONGEST = (
    "tests/system/test_tasks.py",
    "tests/nodes/test_tasks_actions.py",
    "tests/nodes/test_clips.py",
    "tests/nodes/test_tasks_scene.py",
    "tests/system/test_walking.py",
    "tests/training/test_smoke.py",
    "tests/core/execution/test_hostile_inputs.py",
    "tests/system/test_repeatable.py",
    "tests/training/test_several_machines.py",
    "tests/core/estimation/test_estimator_walking.py",
    "tests/training/test_trainer.py",
    "tests/contracts/test_imports.py",
    "tests/core/estimation/test_estimator_faults.py",
    "tests/training/test_estimation.py",
    "tests/training/test_build_engine.py",
    "tests/session/test_film.py",
    "tests/training/test_experts.py",
)
"""Files that would keep the others waiting if they were begun last."""
_RANKS = {name: rank for rank, name in enumerate((*STACKS, *LONGEST))}


class FilesLongestFirst(LoadScopeScheduling):
    """Hands whole files to the workers, in the order of collection; all of :data:`STACKS` go to one worker."""

    def __init__(self, config: pytest.Config, log: object = None):
        config.option.loadscopereorder = False
        super().__init__(config, log)  # pyright: ignore[reportArgumentType]

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "stacks" if file in STACKS else file


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests of :data:`STACKS` and :data:`LONGEST`, then the others in their order."""
    return sorted(items, key=lambda item: _RANKS.get(item.nodeid.split("::", 1)[0], len(_RANKS)))
