"""What is heard of a pad, and what is missing, in a sentence for the operator."""

from __future__ import annotations

from collections.abc import Sequence

_SILENT = 1.0
"""joy's node repeats itself at 20 Hz; a pad that is silent for longer is gone [s]."""


class PadReport:
    """Told of every message; says what an operator must know."""

    def __init__(self) -> None:
        self.count = 0
        """Messages heard."""
        self._at = 0.0
        self._size = (0, 0)
        self._trouble = ""

    def heard(self, now: float, axes: Sequence[float], buttons: Sequence[int], trouble: str = "") -> None:
        """A message came.

        Args:
            now: Any clock that does not jump [s].
            axes: Of the pad.
            buttons: Of the pad.
            trouble: Why it is not obeyed; empty if it is, or if it asks for nothing.
        """
        self.count += 1
        self._at, self._size = now, (len(axes), len(buttons))
        self._trouble = trouble or self._trouble

    def sentence(self, now: float, publishers: int, dead_man: str) -> tuple[bool, str]:
        """Whether all is well, and what is heard; a trouble is told once.

        Args:
            now: As in :meth:`heard`.
            publishers: How many nodes publish ``joy``.
            dead_man: What is known of the dead-man button, and of the layout.
        """
        trouble, self._trouble = self._trouble, ""
        if not self.count and not publishers:
            return True, "no pad: joy has no publisher"
        if not self.count:
            return False, (
                "joy has a publisher, but no message came; press a button of the pad, and see that joy_node has found "
                "it (joy_dev)"
            )
        if now - self._at > _SILENT:
            return False, (
                f"no message on joy for {now - self._at:.1f} s; the pad is off or out of reach, or joy_node's "
                "autorepeat_rate is 0"
            )
        axes, buttons = self._size
        return not trouble, trouble or f"{axes} axes, {buttons} buttons; {dead_man}"
