"""Stamps that stand still or go back and forth: two publishers on one topic, or a driver that fills none in."""

from __future__ import annotations

from collections import deque

_MESSAGES = 64
"""So many of the newest are looked at."""
_MOST_BACK = 4
"""A jump of time goes back once; more than this is no jump."""
_STANDING = 0.9
"""Stamps that stand still in more than this share of the messages do so always."""


class StampOrder:
    """Counts how the stamps of one topic follow one another."""

    def __init__(self, topic: str):
        """
        Args:
            topic: Name for the sentences.
        """
        self._topic = topic
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._steps: deque[int] = deque(maxlen=_MESSAGES)
        self._last: float | None = None

    def take(self, stamp: float) -> None:
        """Take in the stamp of the next message [s]."""
        if self._last is not None:
            self._steps.append((stamp > self._last) - (stamp < self._last))
        self._last = stamp

    def trouble(self) -> str:
        """What is wrong with the stamps, in a sentence; empty if nothing is, or too few were seen."""
        steps = tuple(self._steps)
        back, same, last = steps.count(-1), steps.count(0), self._last
        if back > _MOST_BACK:
            return (
                f"its stamps go back {back} times in {len(steps)} messages, they must rise; two publishers on "
                f"{self._topic}, or one that mixes two clocks"
            )
        if len(steps) < _MESSAGES or same <= _STANDING * len(steps) or last is None:
            return ""
        if last == 0.0:
            return f"its stamps are zero, the time of the measurement is expected; {self._topic} is sent without stamps"
        return f"its stamp stands at {last:.3f} s, it must rise with each message; {self._topic} repeats old messages"
