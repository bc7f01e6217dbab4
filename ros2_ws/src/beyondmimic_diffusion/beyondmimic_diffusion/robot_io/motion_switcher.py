"""Lets the robot's own controller let go of the motors, through Unitree's motion switcher.

The G1 comes up with a controller of its own ("ai"), which commands the motors beside anybody else's commands. It must
be released before the first ``LowCmd``; the robot then goes limp, so it hangs or is held.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from .unitree_dds import Participant

_PATIENCE = 15.0
"""Time after which the controller should have let go [s]."""
_PAUSE = 0.5
"""Between two questions [s]."""
_CALL_TIMEOUT = 2.0
"""Of one question [s]."""
NO_JSON = 3106
"""Unitree's code for an answer that cannot be read; also given where their client raises instead."""
BUSY = (7002, 3104)
"""Codes after which it is asked again: busy, and no answer in time."""

SENTENCES: dict[int, str] = {
    3001: "Unitree's client failed without saying why; try again",
    3102: (
        "nothing answers as motion switcher: is the robot on (its services take a minute), and is network_interface "
        "the one its cable is in?"
    ),
    3103: "Unitree's client does not know the request; install what requirements/unitree.txt names",
    3104: "the robot's motion switcher did not answer in time; its computer is busy or the network loses messages",
    3105: "an answer to another request arrived; end other programs that use the motion switcher, then try again",
    NO_JSON: "the motion switcher's answer cannot be read; its firmware is newer or older than this stack knows",
    3107: "the motion switcher wants a lease, which this stack does not take; its firmware is newer than that",
    3201: "the robot could not send its answer; try again",
    3202: "the motion switcher has an internal error; switch the robot off and on",
    3203: "the robot's firmware does not know the request; update it",
    3204: "the robot's firmware does not take the request's parameters; it is newer or older than this stack knows",
    3205: "another program has the motion switcher's lease; end it",
    3206: "the motion switcher knows no lease of ours; try again",
    3207: "another program has taken the motion switcher's lease; end it",
    7001: "the motion switcher finds a parameter wrong; its firmware is newer or older than this stack knows",
    7002: "the motion switcher is busy; wait until the robot has stopped moving, then try again",
    7003: "the motion switcher does not know the event; its firmware is newer or older than this stack knows",
    7004: "the motion switcher does not know the controller's name; select one with the remote, then try again",
    7005: "a command inside the motion switcher failed; switch the robot off and on",
    7006: "the motion switcher could not look which controller runs; switch the robot off and on",
    7007: "the motion switcher could not switch; damp the robot with the remote (L2 + B), then try again",
    7008: "the controller would not let go; damp the robot with the remote (L2 + B), then try again",
    7009: "the motion switcher could not store its settings; switch the robot off and on",
}
"""Every code of Unitree's RPC (3xxx) and of the motion switcher (7xxx): what it means and what to do."""


class SwitcherClient(Protocol):
    """The part of ``unitree_sdk2py``'s MotionSwitcherClient that is used."""

    def CheckMode(self) -> tuple[int, dict[str, Any] | None]:
        """Code, and the running controller under ``name``."""
        ...

    def ReleaseMode(self) -> tuple[int, Any]:
        """Code, and nothing."""
        ...


def sentence(code: int) -> str:
    """What a code means and what to do, with the code itself."""
    return f"{SENTENCES.get(code, 'the motion switcher gave a code that this stack does not know')} (code {code})"


class MotionSwitcher:
    """Asks, and asks again; everything that blocks can be replaced."""

    def __init__(
        self,
        participant: Participant | None,
        make_client: Callable[[], SwitcherClient] | None = None,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ):
        """
        Args:
            participant: Of the robot's domain; only used by Unitree's client.
            make_client: Makes the client at the first question; Unitree's if None.
            steady: Time that never jumps [s].
            sleep: Waits [s].
        """
        self._make_client = make_client or (lambda: unitree_client(participant))
        self._client: SwitcherClient | None = None
        self._steady, self._sleep = steady, sleep

    def check(self) -> tuple[int, str]:
        """Code (0: answered), and the name of the robot's controller that runs; empty: none."""
        if self._client is None:
            self._client = self._make_client()
        try:
            code, answer = self._client.CheckMode()
            return (code, "") if code != 0 else (0, str((answer or {})["name"]))
        except (ValueError, KeyError, TypeError):
            return NO_JSON, ""

    def release(self) -> tuple[bool, str]:
        """Release until no controller runs.

        Returns:
            Whether none runs any longer, and a sentence for the operator.
        """
        give_up = self._steady() + _PATIENCE
        released: list[str] = []
        while True:
            code, name = self.check()
            if code == 0 and not name:
                return True, f"released: {', '.join(released)}" if released else "no controller of the robot's own runs"
            if code == 0:
                code = self._client.ReleaseMode()[0] if self._client is not None else NO_JSON
                if code == 0 and name not in released:
                    released.append(name)
            if code not in (0, *BUSY):
                return False, sentence(code)
            if self._steady() >= give_up:
                kept = f"the robot's controller '{name}' still runs after {_PATIENCE:.0f} s"
                remedy = "damp the robot with the remote (L2 + B), then try again"
                return False, sentence(code) if code else f"{kept}; {remedy}"
            self._sleep(_PAUSE)


def unitree_client(participant: Participant | None) -> SwitcherClient:
    """Unitree's own client, on our participant: theirs would configure the domain a second time, which fails."""
    from unitree_sdk2py.comm.motion_switcher.motion_switcher_client import MotionSwitcherClient
    from unitree_sdk2py.core.channel import ChannelFactory

    if participant is not None:
        prefix = f"_{ChannelFactory.__name__}__"
        setattr(ChannelFactory, f"{prefix}participant", participant.entity)
        setattr(ChannelFactory, f"{prefix}initialized", True)
    client = MotionSwitcherClient()
    client.SetTimeout(_CALL_TIMEOUT)
    client.Init()
    return client
