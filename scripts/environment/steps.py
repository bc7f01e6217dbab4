"""Steps that remember what they were done with: a stamp holds the hash of a step's inputs."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Sequence

from .console import Progress, SetupError


@dataclass
class Step:
    """One thing to be done once for given inputs."""

    name: str
    """Name of its stamp and log file."""
    title: str
    """What the user reads."""
    action: Callable[[Path], None]
    """Does it; gets the log file."""
    inputs: Sequence[Path | str] | Callable[[], Sequence[Path | str]] = ()
    """Files, folders (all files below) and plain strings: the step is done again when one of them changes.

    A function where they describe the step's own result: they are then read again after the step.
    """
    background: bool = False
    """Runs beside the steps after it; nothing in this run may depend on its result."""
    error: BaseException | None = field(default=None, init=False)

    def key(self) -> str:
        """Hash of the inputs."""
        digest = hashlib.sha256()
        for entry in self.inputs() if callable(self.inputs) else self.inputs:
            if isinstance(entry, str):
                digest.update(b"text:" + entry.encode() + b"\0")
                continue
            files = sorted(path for path in entry.rglob("*") if path.is_file()) if entry.is_dir() else [entry]
            for path in files:
                digest.update(f"file:{path.relative_to(entry.parent)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


class Runner:
    """Runs the steps whose stamp is missing or old, in order.

    Args:
        state_dir: Folder of the stamps and logs.
        steps: What to run.
    """

    def __init__(self, state_dir: Path, steps: Sequence[Step]):
        self._dir = state_dir
        self._steps = steps
        self._progress = Progress()
        self._threads: list[tuple[threading.Thread, Step]] = []

    def stamp(self, step: Step) -> Path:
        """File whose text is the key the step was last finished with."""
        return self._dir / f"{step.name}.stamp"

    def pending(self) -> list[Step]:
        """Steps that have to be done."""
        return [step for step in self._steps if self._done_key(step) != step.key()]

    def run(self) -> int:
        """Do all pending steps; returns how many there were. Raises the first error."""
        pending = self.pending()
        self._dir.mkdir(parents=True, exist_ok=True)
        try:
            for step in pending:
                if step.background:
                    thread = threading.Thread(target=self._guarded, args=(step,), daemon=True)
                    self._threads.append((thread, step))
                    thread.start()
                else:
                    self._do(step)
        finally:
            for thread, _ in self._threads:
                thread.join()
        for _, step in self._threads:
            if step.error is not None:
                raise step.error
        return len(pending)

    def _done_key(self, step: Step) -> str:
        path = self.stamp(step)
        return path.read_text() if path.exists() else ""

    def _guarded(self, step: Step) -> None:
        try:
            self._do(step)
        except BaseException as error:  # handed to the main thread, which raises it
            step.error = error

    def _do(self, step: Step) -> None:
        start = time.monotonic()
        key = step.key()
        self.stamp(step).unlink(missing_ok=True)
        log = self._dir / f"{step.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        if not step.background:
            self._progress.started(step.title)
        try:
            step.action(log)
        except SetupError as error:
            raise SetupError(f"{step.title}: {error}") from error
        self._dir.mkdir(parents=True, exist_ok=True)
        self.stamp(step).write_text(step.key() if callable(step.inputs) else key)
        self._progress.finished(step.title, time.monotonic() - start)
