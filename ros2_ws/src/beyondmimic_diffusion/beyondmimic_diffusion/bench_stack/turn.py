"""One turn of the benchmark: a session of one checkout, and what its processes cost while the robot walked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcap.reader import make_reader
from rclpy.serialization import deserialize_message

from ..bringup import ros_environment
from ..core.errors import ConfigError
from ..session.recorder import message_class
from ..session.recording import Recording, read_recording
from .process_times import ProcessTimes

_SETTLE = 2.0
"""After the first plan is played: the blend and first steps do not count [s of robot time]."""
_PATIENCE = 240.0
"""For one session beyond its duration [s]."""
_PACKAGE = Path("ros2_ws/src/beyondmimic_diffusion")


@dataclass(frozen=True)
class Turn:
    """What one session cost and how it went."""

    commit: str
    robot_seconds: float
    """Robot time over which the CPU time was taken [s]."""
    real_time_factor: float
    cpu: dict[str, float]
    """CPU seconds per robot second by process."""
    network_cpu: float
    """Of the planner's: the network alone, passes times time per pass [CPU seconds per robot second]."""
    backend: str
    passes: int
    pass_ms: float
    """Wall time of one pass on the otherwise idle process [ms]."""
    plans_per_second: float
    sensor_to_command_p50_ms: float | None
    """From the stamp of a plan's observation to the first motor command from that plan, on the robot's clock [ms]."""
    sensor_to_command_p99_ms: float | None
    sensor_to_tick_p99_ms: float | None
    """From the stamp of a joint sample to the tick that uses it [ms]."""
    plans_late: int
    velocity_error: float | None
    """[m/s]."""
    healthy: bool

    def as_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return asdict(self)


def run_turn(checkout: Path, out: Path, seconds: float, session_arguments: list[str]) -> Turn:
    """Let the stack of a checkout walk the tour in simulation.

    Args:
        checkout: Root of a checkout of this repository.
        out: Folder for the session's files.
        seconds: Of walking.
        session_arguments: Further arguments of the session.

    Raises:
        ConfigError: The session did not come to walking.
    """
    environment = checkout_environment(checkout)
    command = [sys.executable, "-m", "beyondmimic_diffusion.sim_session", "--duration", str(seconds)]
    command += ["--out", str(out), "--no-film", "--no-plots", *session_arguments]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "session.log").open("w") as log:
        session = subprocess.Popen(command, cwd=checkout, env=environment, stdout=log, stderr=subprocess.STDOUT)
        times = ProcessTimes(session.pid)
        try:
            session.wait(seconds * 4.0 + _PATIENCE)
        finally:
            if session.poll() is None:
                session.terminate()
                session.wait()
            times.stop()
    report_path = out / "report.json"
    if not report_path.is_file():
        last = (out / "session.log").read_text().strip().splitlines()[-3:]
        raise ConfigError(f"bench-stack: the session of {checkout} wrote no report: {' / '.join(last)}")
    report = json.loads(report_path.read_text())
    recording = read_recording(out / "session.mcap")
    if "tracking" not in recording.session:
        raise ConfigError(f"bench-stack: the robot of {checkout} never walked: {'; '.join(report['problems'])}")
    return _measured(checkout, environment, report, recording, times, _planner_status(out / "session.mcap"))


def checkout_environment(checkout: Path) -> dict[str, str]:
    """The environment in which Python finds the package of a checkout before any installed one.

    Raises:
        ConfigError: The folder is no checkout.
    """
    package = checkout / _PACKAGE
    if not (package / "beyondmimic_diffusion" / "sim_session.py").is_file():
        raise ConfigError(f"bench-stack: '{checkout}' is no checkout of this repository: it has no {_PACKAGE}")
    environment = ros_environment()
    environment["PYTHONPATH"] = os.pathsep.join((str(package), str(checkout / "training")))
    return environment


def _measured(
    checkout: Path,
    environment: dict[str, str],
    report: dict[str, Any],
    recording: Recording,
    times: ProcessTimes,
    status: Any,
) -> Turn:
    start = float(recording.session["tracking"]) + _SETTLE
    end = float(recording.session["end"])
    span = end - start
    if span <= 1.0:
        raise ConfigError(f"bench-stack: the robot of {checkout} walked for {span:.1f} s only: {report['problems']}")
    spent = times.between(float(recording.to_wall(start)), float(recording.to_wall(end)))
    one_pass = _network_pass(environment, report["policy"]["folder"], status.backend, checkout)
    chosen = (recording.plans.published >= start) & (recording.plans.published <= end)
    rate = float(chosen.sum()) / span
    values = recording.executor_values
    return Turn(
        commit=_commit(checkout),
        robot_seconds=span,
        real_time_factor=report["real_time_factor"],
        cpu={name: seconds / span for name, seconds in sorted(spent.items())},
        network_cpu=one_pass["cpu"] * status.denoise_steps_used * rate,
        backend=one_pass["backend"],
        passes=int(status.denoise_steps_used),
        pass_ms=1e3 * one_pass["wall"],
        plans_per_second=rate,
        sensor_to_command_p50_ms=values.get("observation_to_command_p50_ms"),
        sensor_to_command_p99_ms=values.get("observation_to_command_p99_ms"),
        sensor_to_tick_p99_ms=values.get("sensor_to_tick_p99_ms"),
        plans_late=int(report["plans_late"]),
        velocity_error=report["velocity_error"],
        healthy=bool(report["healthy"]),
    )


def _planner_status(path: Path) -> Any:
    """The last ``planner/status`` of a recording."""
    last = None
    with path.open("rb") as stream:
        for schema, _, message in make_reader(stream).iter_messages(topics=["/planner/status"]):
            last = (schema, message.data)
    if last is None or last[0] is None:
        raise ConfigError(f"bench-stack: '{path}' holds no planner/status")
    return deserialize_message(last[1], message_class(last[0].name))


def _network_pass(environment: dict[str, str], policy: str, backend: str, checkout: Path) -> dict[str, Any]:
    """Time of one pass with the backend that the planner had, in a process of its own."""
    name = backend.split()[0] if backend else "auto"
    script = str(Path(__file__).with_name("network_pass.py"))
    done = subprocess.run(
        [sys.executable, script, policy, name],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ConfigError(f"bench-stack: the network of '{policy}' cannot be timed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _commit(checkout: Path) -> str:
    """Commit of a checkout, with ``+`` if tracked files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
