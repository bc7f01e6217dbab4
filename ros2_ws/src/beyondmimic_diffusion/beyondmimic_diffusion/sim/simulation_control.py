"""Whether simulated time passes: playing, paused, stopped, so many steps and no more. No clock, no thread, no ROS.

The states and their transitions are those of the standard ``simulation_interfaces``; ``nodes/simulation_services.py``
offers them. Whoever owns the physics asks :meth:`SimulationControl.due` before each slice of time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Phase(Enum):
    """State of the simulation."""

    STOPPED = "at its start, no time passes"
    PLAYING = "time passes"
    PAUSED = "no time passes"


class Code(Enum):
    """How a request ended."""

    OK = "done"
    FEATURE_UNSUPPORTED = "this simulator does not offer that"
    NOT_FOUND = "there is nothing of that name"
    OPERATION_FAILED = "offered, but not in this situation or with these values"
    ALREADY_IN_TARGET_STATE = "nothing to do"
    INVALID_POSE = "no pose that the entity can have"


class Answer(NamedTuple):
    """What the client is told."""

    code: Code
    text: str = ""


@dataclass
class Stepping:
    """Steps that were asked for."""

    steps: int
    on_step: Callable[[int, int], bool]
    """Told after each step how many were made and are left; False: no more of them."""
    on_end: Callable[[Answer], None]
    made: int = 0


class SimulationControl:
    """Decides how much time passes next. All calls come from the thread of the physics."""

    def __init__(self, reset: Callable[[bool, bool], None]):
        """
        Args:
            reset: Puts the simulation back to its start: its time, its state, or both.
        """
        self._reset = reset
        self._phase = Phase.PLAYING
        self._stepping: Stepping | None = None

    @property
    def phase(self) -> Phase:
        """Time passes while steps are made, too."""
        return self._phase if self._stepping is None else Phase.PLAYING

    def set_phase(self, phase: Phase) -> Answer:
        """Go to another state; steps under way end there. What is stopped may be paused: it then waits for steps."""
        if self._stepping is None and phase is self._phase:
            return Answer(Code.ALREADY_IN_TARGET_STATE, f"the simulation is {phase.name.lower()} already")
        self.break_off(f"the simulation was set to {phase.name.lower()}")
        if phase is Phase.STOPPED:
            self._reset(True, True)
        self._phase = phase
        return Answer(Code.OK)

    def reset(self, *, time: bool, state: bool) -> Answer:
        """Go back to the start; what was playing plays on from there."""
        self.break_off("the simulation was reset")
        self._reset(time, state)
        return Answer(Code.OK)

    def begin(self, stepping: Stepping) -> Answer:
        """Take steps from here, if this is possible; ``on_end`` is called only if it is."""
        if stepping.steps < 1:
            return Answer(Code.OPERATION_FAILED, f"{stepping.steps} steps; give one or more")
        if self._stepping is not None:
            left = self._stepping.steps - self._stepping.made
            return Answer(Code.OPERATION_FAILED, f"steps are being made already, {left} are left; wait for them")
        if self._phase is not Phase.PAUSED:
            return Answer(
                Code.OPERATION_FAILED,
                f"the simulation is {self._phase.name.lower()}; steps need it paused: set_simulation_state to paused",
            )
        self._stepping = stepping
        return Answer(Code.OK)

    def due(self, slice_steps: int) -> int:
        """Physics steps to be made next.

        Args:
            slice_steps: As many as are made at a time while it plays.
        """
        if self._stepping is not None:
            return 1
        return slice_steps if self._phase is Phase.PLAYING else 0

    def passed(self) -> None:
        """The steps of :meth:`due` were made."""
        stepping = self._stepping
        if stepping is None:
            return
        stepping.made += 1
        goes_on = stepping.on_step(stepping.made, stepping.steps - stepping.made)
        if stepping.made == stepping.steps:
            self._end(Answer(Code.OK))
        elif not goes_on:
            self.break_off("called off")

    def break_off(self, reason: str) -> None:
        """End steps that are under way, if there are any."""
        if self._stepping is not None:
            made, steps = self._stepping.made, self._stepping.steps
            self._end(Answer(Code.OPERATION_FAILED, f"{reason} after {made} of {steps} steps"))

    def _end(self, answer: Answer) -> None:
        stepping, self._stepping = self._stepping, None
        if stepping is not None:
            stepping.on_end(answer)
