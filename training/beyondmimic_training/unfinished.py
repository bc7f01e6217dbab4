"""Shards that are being written, and what is left of them when their process was stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from pathlib import Path


def unfinished_name() -> str:
    """Name of a new shard until it is complete: host, process, a random number, ``.tmp``."""
    return f"shard-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def remove_unfinished(path: Path | str) -> int:
    """Delete what collections on this machine left half-written when they were stopped; returns how many shards.

    Those of other machines, and of processes that still run here, are left alone.
    """
    leftovers = [p for p in Path(path).glob("shard-*.tmp") if _is_leftover(p)]
    for leftover in leftovers:
        shutil.rmtree(leftover)
    return len(leftovers)


def _is_leftover(unfinished: Path) -> bool:
    host, _, process = unfinished.name.removeprefix("shard-").rpartition("-")[0].rpartition("-")
    return host == socket.gethostname() and process.isdigit() and not _is_running(int(process))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks only
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
