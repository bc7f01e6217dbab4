"""What a fault is, and what followed one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .heard import Moment
from .rig import Rig


@dataclass(frozen=True)
class Outcome:
    """What followed one injection."""

    seconds: float | None
    """Until the reaction, on the fault's clock; None if it did not come."""
    problems: tuple[str, ...] = ()
    """What else was not as it must be."""
    note: str = ""
    """Which of several allowed ends it took."""


Reaction = Callable[[Rig, Moment], Outcome]


def _nothing(rig: Rig) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    name: str
    what: str
    """What happens, for people."""
    expected: str
    """What must follow."""
    deadline: float | None
    """[s]; None: there is nothing to be timed, it shall only go on."""
    clock: str
    """``steady`` or ``sim``: on which clock the deadline is."""
    inject: Callable[[Rig], object]
    reaction: Reaction
    undo: Callable[[Rig], object] = field(default=_nothing)
    prepare: Callable[[Rig], object] = field(default=_nothing)
    """What must be the case before, beside a walk."""
