"""One reading that cannot be right, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One reading that cannot be right."""

    reading: str
    """What reads wrongly, e.g. ``accelerometer``."""
    text: str
    """What was read, what is expected, and the likely cause."""

    def __str__(self) -> str:
        return f"{self.reading}: {self.text}"


def near(value: float, target: float, within: float = 1.35) -> bool:
    """Whether a ratio is a unit's factor, within a factor."""
    return target / within < value < target * within
