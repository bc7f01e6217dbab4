"""``make sim``: the whole stack in MuJoCo over ROS 2, steered through a tour or by hand, with a report at the end.

    python -m beyondmimic_diffusion.sim_session --duration 20 --policy policies/walk

Exit code 0: no fall, all goals reached, no obstacle touched, and every part of the stack did its work. 1: not so; the
report says what. 2: it could not start. 130: interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .arguments import DEFAULT_POLICY, BringupArguments
from .bringup import Bringup, ros_environment
from .core.errors import BeyondMimicError, ConfigError
from .core.tasks import save_scene
from .graph import find_policy
from .session.console import Console, bar
from .session.node_log import NodeLog
from .session.programme import TOURS, Programme, make_programme

OUT = Path("out/sim")
_TOUR_TIME = 60.0
"""[s]."""
_RECORDER_NICENESS = 5
"""The recorder and the progress line wait when the robot needs the CPU."""
_BLEND_TIME = "1.0"
"""From the pose in the gantry to the stand pose [s]: they are the same."""
_FEW_CORES, _SENSORS, _SENSORS_ON_FEW_CORES = 4, 250.0, 100.0
"""On fewer cores than this, simulator, stack and recorder share what messages cost; both rates meet the 20 ms grid."""
_LOCKSTEP_MEMBERS = "state_estimator diffusion_planner guidance_task_server action_executor session"
"""Who takes turns in lockstep."""
_WRITTEN = (
    *("report.json", "session.mcap", "scene.yaml", "film.mp4", "film.png"),
    *("velocity.png", "path.png", "timing.png"),
)
"""What an earlier session has left is removed first."""
FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--teleop", choices=("keyboard",), help="steer by hand instead of driving the tour")
    parser.add_argument(
        "--duration", type=_seconds, help=f"seconds of steering (joystick: {_TOUR_TIME:.0f}; by hand: no end)"
    )
    parser.add_argument("--policy", default=DEFAULT_POLICY, help="folder of the policy (default: %(default)s)")
    parser.add_argument("--seed", type=_seed, default=0, help="of noise, scenes and waypoints (default: %(default)s)")
    parser.add_argument("--tour", default=TOURS[0], help=f"{', '.join(TOURS)}, or a YAML file with legs")
    parser.add_argument("--out", type=Path, default=OUT, help="where report, plots, recording and film go")
    parser.add_argument(
        "--sim", choices=("mujoco", "unitree_mujoco"), default="mujoco", help="ROS topics, or Unitree's DDS on lo"
    )
    parser.add_argument(
        "--unitree-domain", type=int, default=-1, help="DDS domain of a simulated Unitree robot (default: 1)"
    )
    parser.add_argument(
        "--wall-time",
        action="store_true",
        help="with unitree_mujoco: no /clock, as on a robot; the machine must keep up",
    )
    parser.add_argument(
        "--root-source",
        choices=("auto", "truth", "proprioception"),
        default="auto",
        help="what odometry rests on (auto: truth with mujoco, proprioception with unitree_mujoco)",
    )
    parser.add_argument(
        "--real-time-factor",
        type=_factor,
        default="auto",
        help="simulated seconds per second; auto: 1, or as much less as plans need to come in time",
    )
    parser.add_argument(
        "--lockstep",
        action="store_true",
        help="time waits for each node in each step: same seed, same run, on any machine",
    )
    parser.add_argument("--no-film", action="store_true", help="render no film after the run")
    parser.add_argument("--no-plots", action="store_true", help="draw no plots after the run")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Entry point."""
    arguments, console, stop = parse(words), Console(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _interrupt(stop))
    try:
        code = _session(arguments, console, stop)
    except BeyondMimicError as error:
        console.say(f"make sim: {error}")
        code = REFUSED
    except KeyboardInterrupt:
        console.say("interrupted; the processes of the stack have ended")
        code = INTERRUPTED
    sys.exit(code)


def _session(arguments: argparse.Namespace, console: Console, stop: threading.Event) -> int:
    programme = _programme(arguments)
    policy = find_policy(arguments.policy)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for old in _WRITTEN:
        with suppress(FileNotFoundError):
            (out / old).unlink()
    os.environ.update(ros_environment())
    console.say(
        f"starting the stack with {policy} on ROS_DOMAIN_ID {os.environ['ROS_DOMAIN_ID']}; Ctrl-C ends everything"
    )
    failure = _drive(arguments, programme, policy, console, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # nothing of ROS runs any more
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    report = _evaluate(arguments, console, failure)
    if stop.is_set():
        return INTERRUPTED
    return 0 if report["healthy"] else FAILED


def _programme(arguments: argparse.Namespace) -> Programme:
    """The tour; steered by hand, only its scene is of interest."""
    if arguments.teleop and not sys.stdin.isatty():
        raise ConfigError("--teleop keyboard needs a terminal to read keys from; standard input is none")
    return make_programme(arguments.tour, arguments.seed, None if arguments.teleop else arguments.duration)


def _drive(
    arguments: argparse.Namespace, programme: Programme, policy: str, console: Console, stop: threading.Event
) -> str:
    """Run the stack; returns why it ended early, or an empty text."""
    parameters = arguments.out / "session.param.yaml"
    parameters.write_text(_parameters(arguments.seed))
    bringup = BringupArguments(
        sim=arguments.sim,
        unitree_domain=arguments.unitree_domain,
        use_sim_time="false" if arguments.wall_time else "true",
        policy=policy,
        params_file=str(parameters.resolve()),
        root_source=arguments.root_source,
        scene=_write_scene(programme, arguments.out),
        real_time_factor=arguments.real_time_factor,
        lockstep=arguments.lockstep,
        blend_time=_BLEND_TIME,
    )
    notes: dict[str, Any] = {
        "tour": programme.tour,
        "sim": arguments.sim,
        "policy": arguments.policy,
        "seed": arguments.seed,
        "command_wall": psutil.Process().create_time(),
        "pacing": _pacing(arguments),
    }
    if arguments.lockstep:
        del notes["command_wall"]  # the wall's time is no part of the run
    if programme.scene is not None:
        notes["scene"] = programme.scene.to_dict()
    log = NodeLog(arguments.out / "nodes.log", console)
    try:
        with Bringup(bringup, say=log.take) as processes:  # first: while they import, this process does, too
            return _steer(arguments, bringup, programme, notes, processes, log, console, stop)
    finally:
        log.close()


def _steer(
    arguments: argparse.Namespace,
    bringup: BringupArguments,
    programme: Programme,
    notes: dict[str, Any],
    processes: Bringup,
    log: NodeLog,
    console: Console,
    stop: threading.Event,
) -> str:
    """Steer the stack that was started; returns why it ended early, or an empty text."""
    from .session import drive  # needs ROS, whose environment is ready only now
    from .session.stack import Interrupted, SessionError, running_stack

    metadata: dict[str, str] = {}
    failure = ""
    with running_stack(processes, log, arguments.out, stop, bringup.sim_time, arguments.lockstep, metadata) as stack:
        os.nice(_RECORDER_NICENESS)
        try:
            start = drive.bring_up(stack, console, bringup.unitree)
            notes["tracking"] = start
            waited = time.time() - psutil.Process().create_time()
            console.say(f"  the robot plays plans, {waited:.1f} s after the command; steering starts")
            if arguments.teleop:
                drive.keyboard_session(stack, arguments.duration or math.inf, console)
            else:
                drive.run_programme(stack, programme, notes, console)
        except Interrupted:
            failure = "interrupted by the operator"
        except SessionError as error:
            failure = str(error)
            console.say(f"ended early: {failure}")
        failure = failure or stack.recorder.trouble
        notes["end"] = stack.sim_time()
        metadata.update({key: json.dumps(value) for key, value in notes.items()})
        console.say("ending the stack")
    return failure


def _write_scene(programme: Programme, out: Path) -> str:
    """The tour's scene as a file for the simulator; an empty text where there is none."""
    if programme.scene is None:
        return ""
    path = out / "scene.yaml"
    save_scene(programme.scene, path)
    return str(path.resolve())


def _evaluate(arguments: argparse.Namespace, console: Console, failure: str) -> dict[str, Any]:
    """Report, plots and film, all from the recording."""
    from .session.recording import RecordingError, read_recording
    from .session.report import as_table, make_report, write_report

    out: Path = arguments.out
    try:
        recording = read_recording(out / "session.mcap")
    except RecordingError:
        if failure:
            raise ConfigError(failure) from None  # it never came to moving
        raise
    report = make_report(recording, failure)
    write_report(report, out / "report.json")
    console.say("\n" + as_table(report) + "\n")
    console.say(
        f"report     {out / 'report.json'}\nrecording  {out / 'session.mcap'} ({report['messages_recorded']} messages)"
    )
    if "tracking" not in recording.session:
        return report
    if not arguments.no_plots:
        from .session.plots import write_plots

        console.say("plots      " + ", ".join(str(path) for path in write_plots(recording, report, out)))
    if not arguments.no_film:
        _film(recording, out / "film.mp4", console)
    return report


def _film(recording: Any, path: Path, console: Console) -> None:
    from .session.film import FilmError, make_film

    try:
        make_film(
            recording,
            path,
            progress=lambda share: console.live(f"rendering the film {bar(share)} {100 * share:3.0f} %"),
        )
        console.say(f"film       {path}")
    except FilmError as error:
        console.say(f"no film: {error}")


def _parameters(seed: int) -> str:
    """What this session sets in the nodes, as a ROS parameter file."""
    return (
        f"/**/diffusion_planner:\n  ros__parameters:\n    planner:\n      seed: {seed}\n"
        f"/**/mujoco_sim:\n  ros__parameters:\n    sensor_frequency: {_sensor_frequency()}\n"
        f"    lockstep_members: {_LOCKSTEP_MEMBERS}\n"
    )


def _pacing(arguments: argparse.Namespace) -> str:
    """``fixed``, ``auto`` or ``lockstep``."""
    if arguments.lockstep:
        return "lockstep"
    return "auto" if arguments.real_time_factor == "auto" and not arguments.wall_time else "fixed"


def _sensor_frequency() -> float:
    """Rate of the simulated sensors [Hz]: a robot sends 500, a small machine that does everything else too gets 100."""
    cores = len(os.sched_getaffinity(0))
    return _SENSORS if cores >= _FEW_CORES else _SENSORS_ON_FEW_CORES


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} s; at least 1 s is needed")
    return value


def _factor(text: str) -> str:
    if text != "auto" and not 0.05 <= float(text) <= 1.0:
        raise argparse.ArgumentTypeError(f"{text}; auto, or from 0.05 to 1")
    return text


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text}; a seed is a whole number from 0 to {2**31 - 1}")
    return value


def _interrupt(stop: threading.Event) -> None:
    """Ask politely first; a second Ctrl-C while the stack is being ended changes nothing."""
    stop.set()


if __name__ == "__main__":
    main()
