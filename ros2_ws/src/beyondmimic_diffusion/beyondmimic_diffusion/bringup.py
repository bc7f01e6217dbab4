"""Starts the table of nodes as processes where ``ros2 launch`` is not installed; same arguments.

    python -m beyondmimic_diffusion.bringup sim:=mujoco policy:=policies/walk

Ctrl-C ends all of them; so does SIGTERM, a terminal that closes, or this program's sudden end. If one ends by itself,
the others are ended too, and so is this program, with its exit code; but not while the robot is armed and the executor
can keep it on its feet without that one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .arguments import check_without_launch
from .core.errors import BeyondMimicError, ConfigError
from .graph import BringupArguments, NodeSpec, make_graph, parse_arguments
from .preflight import check_machine, operator_notes
from .ros.lifeline import on_ending_signals, started_by_us

DEFAULT_DOMAIN = 42
"""Not 0: that is where a Unitree robot on the network would listen."""
_PATIENCE = (4.0, 2.0)
"""How long a process may take to end after SIGINT, and then after SIGTERM, before it is killed [s]."""
RESPAWN_DELAY = 1.0
"""Before an ended node is started again, so that one that cannot start does not take the machine [s]."""
GOES_ON = (
    "the robot is armed, so the others go on and keep it on its feet: hold it, then disarm it (executor/disarm), which "
    "ends them"
)
_POLL = 0.05
"""[s]."""
_NOTE_PERIOD, _LONGEST_NOTE_PERIOD = 2.0, 60.0
"""How often the shared memory in use is noted [s]: at first, and at last. It is made when processes start."""
_SHARED_MEMORY = Path("/dev/shm")
_SEGMENT = re.compile(r"/dev/shm/((?:sem\.)?fastrtps_\w+?)(?:_el)?(?: \(deleted\))?$", re.MULTILINE)
"""Fast DDS's files, in the last column of a process's memory map or as the target of its file descriptors."""


@dataclass
class _Running:
    spec: NodeSpec
    process: subprocess.Popen[str]


class Bringup:
    """The processes of one run. Use it as a context manager: leaving it ends them."""

    def __init__(
        self,
        arguments: BringupArguments,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] | None = None,
    ):
        """
        Args:
            arguments: What to start.
            environment: For the processes; the default is :func:`ros_environment`.
            say: Gets every line that a node writes, prefixed with its name; None: to this program's stderr.

        Raises:
            ConfigError: The arguments cannot work together, or not on this machine.
        """
        self._arguments = arguments
        check_without_launch(arguments)
        self._specs = make_graph(arguments)
        self._environment = {**(ros_environment() if environment is None else environment), **arguments.environment}
        check_machine(arguments, self._environment)
        self._say = say or _to_stderr
        self._running: list[_Running] = []
        self._readers: list[threading.Thread] = []
        self._shared: set[str] = set()
        self._noted, self._note_period = 0.0, _NOTE_PERIOD

    def __enter__(self) -> Bringup:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def processes(self) -> dict[str, int]:
        """Process id by node name."""
        return {r.spec.name: r.process.pid for r in self._running}

    @property
    def managed(self) -> tuple[str, ...]:
        """Names of the nodes with a life cycle."""
        return tuple(spec.name for spec in self._specs if spec.managed)

    def start(self) -> None:
        """Start every node; each gets a process group of its own, so that Ctrl-C reaches only this program."""
        for note in operator_notes(self._arguments):
            self._say(f"[bringup] {note}")
        for spec in self._specs:
            self._running.append(_Running(spec, self._spawn(spec)))

    def restart(self, name: str) -> None:
        """Start a node again that has ended; one that still runs is killed first.

        Raises:
            ConfigError: There is no such node.
        """
        running = next((r for r in self._running if r.spec.name == name), None)
        if running is None:
            raise ConfigError(f"bringup: no node '{name}' to start again; there are {', '.join(self.processes)}")
        self._note_shared_memory()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        running.process = self._spawn(running.spec)
        self._note_period = _NOTE_PERIOD

    def _spawn(self, spec: NodeSpec) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", spec.module]
        command += spec.ros_arguments(self._arguments.namespace, self._arguments.log_level)
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env={**self._environment, **started_by_us()},
            start_new_session=True,
        )
        reader = threading.Thread(target=self._copy, args=(spec.name, process.stdout), daemon=True)
        reader.start()
        self._readers.append(reader)
        return process

    def failed(self) -> tuple[str, int] | None:
        """Name and exit code of the first node that has ended, None while all run; ask often."""
        return next(((running.spec.name, code) for running, code in self._ended()), None)

    def wait(self, stop: threading.Event) -> int:
        """Until ``stop`` is set (0) or a node has ended that is needed (its exit code, 1 if it was 0)."""
        said: set[int] = set()
        while not stop.wait(_POLL):
            for running, code in self._ended():
                name = running.spec.name
                if running.spec.respawn:
                    self._say(f"[bringup] {name} has ended with exit code {code}; starting it again")
                    stop.wait(RESPAWN_DELAY)
                    self.restart(name)
                elif running.spec.managed and self._robot_is_armed():
                    if running.process.pid not in said:
                        said.add(running.process.pid)
                        self._say(f"[bringup] {name} has ended with exit code {code}; {GOES_ON}")
                else:
                    self._say(f"[bringup] {name} has ended with exit code {code}; ending the others")
                    return code if code > 0 else 1
        return 0

    def _robot_is_armed(self) -> bool:
        from .robot_io.command_lease import (
            lease_path,
            robot_is_armed,
        )  # here: it brings ROS, and nodes are started first

        domain = self._environment.get("ROS_DOMAIN_ID", "0")
        return robot_is_armed(lease_path(self._arguments.namespace, domain))

    def _ended(self) -> list[tuple[_Running, int]]:
        """Nodes that have ended, and their exit codes."""
        if time.monotonic() - self._noted > self._note_period:
            self._note_shared_memory()
            self._note_period = min(2.0 * self._note_period, _LONGEST_NOTE_PERIOD)
        polled = [(running, running.process.poll()) for running in self._running]
        return [(running, code) for running, code in polled if code is not None]

    def stop(self) -> None:
        """End all processes, then remove the shared memory that killed ones have left."""
        self._note_shared_memory()
        for number, patience in zip((signal.SIGINT, signal.SIGTERM), _PATIENCE, strict=True):
            self._signal(number)
            until = time.monotonic() + patience
            while time.monotonic() < until and any(r.process.poll() is None for r in self._running):
                time.sleep(_POLL)
        self._signal(signal.SIGKILL)
        for running in self._running:
            running.process.wait()
        for reader in self._readers:
            reader.join(1.0)
        _remove_shared_memory(self._shared)

    def _note_shared_memory(self) -> None:
        """Remember what the processes use while they live: a killed one cannot be asked any more."""
        self._noted = time.monotonic()
        self._shared |= _shared_memory_of(self.processes.values())

    def _signal(self, number: int) -> None:
        for running in self._running:
            if running.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.process.pid, number)

    def _copy(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            self._say(f"[{name}] {line.rstrip()}")


def ros_environment() -> dict[str, str]:
    """This program's environment, with a domain that is not 0 and discovery that stays on this machine, unless set."""
    environment = dict(os.environ)
    environment.setdefault("ROS_DOMAIN_ID", str(DEFAULT_DOMAIN))
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault("PYTHONUNBUFFERED", "1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")
    return environment


def main(words: Sequence[str] | None = None) -> None:
    """Entry point."""
    stop = threading.Event()
    on_ending_signals(stop.set)
    try:
        with Bringup(parse_arguments(sys.argv[1:] if words is None else words)) as bringup:
            code = bringup.wait(stop)
    except BeyondMimicError as error:
        _to_stderr(str(error))
        code = 2
    sys.exit(code)


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _shared_memory_of(pids: Iterable[int]) -> set[str]:
    """Names of Fast DDS's shared memory files that some processes have mapped or opened."""
    found: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found |= set(_SEGMENT.findall(Path(f"/proc/{pid}/maps").read_text(errors="replace")))
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    found |= set(_SEGMENT.findall(str(descriptor.readlink())))
    return found


def _remove_shared_memory(names: set[str]) -> None:
    """Remove what ended processes have left, unless a living one (of another run) uses it, too."""
    left = {name for name in names if (_SHARED_MEMORY / name).exists()}
    if not left:
        return
    used = _shared_memory_of(int(path.name) for path in Path("/proc").glob("[0-9]*"))
    for name in left - used:
        for file in (name, f"{name}_el"):  # the second marks the first as alive
            (_SHARED_MEMORY / file).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
