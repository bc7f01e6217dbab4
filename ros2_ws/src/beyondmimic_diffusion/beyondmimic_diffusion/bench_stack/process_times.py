"""CPU time of the processes of one session over time, from ``/proc``."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import psutil

from ..core.types import Array

_PERIOD = 0.25
"""Between two readings [s]; the kernel counts in steps of 0.01 s."""
_NODE = re.compile(r"\.nodes\.(\w+?)_node$")
SESSION = "recorder"
"""What the session's own process is called: it records and steers."""


@dataclass
class _Series:
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


class ProcessTimes:
    """Reads the CPU time of a process and of its descendants until it is stopped."""

    def __init__(self, pid: int):
        """
        Args:
            pid: Process of the session.
        """
        self._root = psutil.Process(pid)
        self._series: dict[str, _Series] = defaultdict(_Series)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process times", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more readings."""
        self._stop.set()
        self._thread.join()

    def between(self, start: float, end: float) -> dict[str, float]:
        """CPU seconds that each process spent between two moments [s since 1970], by node name."""
        return {name: float(np.diff(_at(series, (start, end)))[0]) for name, series in self._series.items()}

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD):
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in processes:
                self._read(process)

    def _read(self, process: psutil.Process) -> None:
        try:
            name = SESSION if process == self._root else _node_name(process.cmdline())
            times = process.cpu_times()
        except psutil.Error:  # it has just ended
            return
        if name:
            self._series[name].wall.append(time.time())
            self._series[name].cpu.append(times.user + times.system)


def _node_name(words: list[str]) -> str:
    """Name of the node that a command line starts; empty if it starts none."""
    return next((match[1] for word in words if (match := _NODE.search(word))), "")


def _at(series: _Series, wall: tuple[float, float]) -> Array:
    """CPU time at some moments, linear between readings."""
    return np.interp(wall, series.wall, series.cpu)
