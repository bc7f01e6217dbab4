"""Nodes end with the process that started them, whatever ended it.

A start-up that is killed, or that leaves on SIGTERM as ``ros2 launch`` does, ends nothing: its nodes would go on to
command the robot with no one to stop them. So a start-up names itself in the environment of its nodes, and each of them
watches that process. When it is gone, the node sends itself a SIGTERM, which every node answers by ending in order: the
executor damps and disarms, the supervisor waits for the executor. A node that was started by hand watches no one.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import threading
from collections.abc import Callable

STARTED_BY = "BEYONDMIMIC_STARTED_BY"
"""Environment variable with the process id of the start-up."""
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals at which a process ends in order."""
_PATIENCE = 10.0
"""A node that has not ended so long after the SIGTERM is killed [s]; the supervisor needs most of it at worst."""


def started_by_us() -> dict[str, str]:
    """Environment variables for nodes that shall end with this process."""
    return {STARTED_BY: str(os.getpid())}


def prefix_for_others() -> str:
    """What to start other people's programs with, so that this process's end is a SIGTERM for them; may be empty."""
    return "setpriv --pdeathsig TERM --" if shutil.which("setpriv") else ""


def on_ending_signals(handler: Callable[[], object]) -> None:
    """Call ``handler`` at Ctrl-C and SIGTERM, and when the terminal or connection closes unless under ``nohup``."""
    for number in ENDING_SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: handler())


def end_with_start_up() -> str:
    """Watch the process that started this one, if it named itself.

    Returns:
        Why it cannot be watched; empty if it is, or if there is none.
    """
    text = os.environ.get(STARTED_BY, "")
    if not text:
        return ""
    try:
        handle = os.pidfd_open(int(text))
    except ProcessLookupError:
        _end()
        return ""
    except (OSError, ValueError) as error:
        return f"{STARTED_BY}={text} cannot be watched ({error}): this node goes on when its start-up is killed"
    threading.Thread(target=_watch, args=(handle, _end), name="lifeline", daemon=True).start()
    return ""


def _watch(handle: int, gone: Callable[[], None]) -> None:
    """Call ``gone`` when the process behind a handle has ended; costs nothing meanwhile."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    gone()


def _end() -> None:
    """End in order, or by the kernel's alarm: it needs no interpreter, which a library that hangs may hold."""
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    os.kill(os.getpid(), signal.SIGTERM)
