"""Scenes and maps as they come: small ones at once, large ones by a thread of their own, all in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from beyondmimic_msgs.msg import SdfScene
from nav_msgs.msg import OccupancyGrid

from ..core.errors import GoalError
from .background import Background
from .obstacle_store import ObstacleStore, Work

_SMALL = 50
"""Solids of a scene that are understood at once: a few milliseconds."""
_SMALL_CELLS = 40_000
"""Cells of a map, or nodes of a scene's grids, likewise."""
_MOST_WAITING = 8
"""Scenes and maps that may wait; a large map takes seconds."""


@dataclass
class _Job:
    source: str
    work: Work
    outcome: Callable[[], None] | Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """In the background."""
        try:
            self.outcome = self.work()
        except Exception as error:  # told by the owner's thread
            self.outcome = error
        self.done.set()


class SceneIntake:
    """Between the callbacks that hear of obstacles and the store that keeps them."""

    def __init__(self, store: ObstacleStore, now: Callable[[], float], refuse: Callable[[str, GoalError], None]):
        """
        Args:
            store: Kept by the caller; changed on the caller's thread only.
            now: The robot's clock [s].
            refuse: Tells the operator what was not taken, and from which topic.
        """
        self._store = store
        self._now = now
        self._refuse = refuse
        self._jobs: deque[_Job] = deque()
        self._background = Background("obstacles", _MOST_WAITING + 1)

    @property
    def waiting(self) -> int:
        """Scenes and maps that are being understood."""
        return len(self._jobs)

    def take(self, msg: SdfScene | OccupancyGrid) -> None:
        """Take a message in; :meth:`tick` puts it in force if that takes long."""
        source = "sdf_scene" if isinstance(msg, SdfScene) else "map"
        try:
            if len(self._jobs) >= _MOST_WAITING:
                raise GoalError(
                    f"{len(self._jobs)} large scenes and maps are still being understood; send fewer, or smaller ones"
                )
            if isinstance(msg, SdfScene):
                work, small = self._store.scene_work(msg, self._now()), _is_small(msg)
            else:
                work, small = self._store.map_work(msg), len(msg.data) <= _SMALL_CELLS
        except GoalError as error:
            self._refuse(source, error)
            return
        job = _Job(source, work)
        if small and not self._jobs:
            job.run()
            self._finish(job)
        else:
            self._jobs.append(job)
            self._background.do(job.run)

    def tick(self) -> None:
        """Put in force what has been understood."""
        while self._jobs and self._jobs[0].done.is_set():
            self._finish(self._jobs.popleft())

    def close(self) -> None:
        """Forget what waits."""
        self._jobs.clear()
        self._background.close()

    def _finish(self, job: _Job) -> None:
        outcome = job.outcome
        try:
            if callable(outcome):
                outcome()
                return
        except GoalError as error:
            outcome = error
        if not isinstance(outcome, GoalError):
            outcome = GoalError(f"it cannot be understood: {type(outcome).__name__}: {outcome}")
        self._refuse(job.source, outcome)


def _is_small(msg: SdfScene) -> bool:
    return len(msg.primitives) <= _SMALL and sum(len(grid.distances) for grid in msg.grids) <= _SMALL_CELLS
