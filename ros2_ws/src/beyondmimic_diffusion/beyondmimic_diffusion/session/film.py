"""A film of the session, rendered after the run from what was recorded, on all cores; no GPU is needed."""

from __future__ import annotations

import importlib.util
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import BeyondMimicError
from ..core.rotations import slerp
from ..core.types import Array
from .marker import Marker
from .marks import Marks
from .recording import Recording

GL_PACKAGES = "libegl1 libgl1-mesa-dri"
"""Debian packages that render without a GPU."""
_BATCH = 20
"""Frames a worker renders at a time."""


class FilmError(BeyondMimicError):
    """The film could not be made; the session itself is not affected."""


@dataclass(frozen=True)
class FilmStyle:
    """Size and pace."""

    width: int = 640
    height: int = 480
    rate: int = 25
    """Frames per second of the film and of simulated time."""


@dataclass(frozen=True)
class Frames:
    """What is seen in each of F frames."""

    t: Array
    """Simulated time [s], (F,)."""
    qpos: Array
    """Free joint (position, quaternion wxyz) and joints as MuJoCo has them, (F, 36)."""
    captions: list[str]
    marks: list[Marks]


def make_film(
    recording: Recording,
    path: Path,
    style: FilmStyle | None = None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Render the session into an MP4 file, and a still of its middle beside it.

    Args:
        recording: What to show.
        path: File to write.
        style: Size and pace.
        progress: Called with the share that is done.

    Raises:
        FilmError: No GL library, or no encoder; the text names what to install.
    """
    style = style or FilmStyle()
    check_gl()
    frames = frames_of(recording, style.rate)
    os.environ.setdefault("MUJOCO_GL", "egl")
    workers = max(1, len(os.sched_getaffinity(0)))
    batches = [slice(i, i + _BATCH) for i in range(0, len(frames.t), _BATCH)]
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _start_worker, (style,)) as pool:
            images = pool.map(
                _render,
                [frames.qpos[batch] for batch in batches],
                [frames.captions[batch] for batch in batches],
                [frames.marks[batch] for batch in batches],
            )
            try:
                _encode(path, style, images, len(batches), progress)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise FilmError(
            "the renderer could not start: no usable OpenGL. "
            f"On Debian or Ubuntu: sudo apt install {GL_PACKAGES}; or set MUJOCO_GL=glx on a desktop"
        ) from error
    return path


def check_gl() -> None:
    """Raise :class:`FilmError` if there is no EGL library, where EGL is what would be used."""
    from ctypes.util import find_library

    if os.environ.get("MUJOCO_GL", "egl") == "egl" and find_library("EGL") is None:
        raise FilmError(f"no EGL library found. On Debian or Ubuntu: sudo apt install {GL_PACKAGES}")
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise FilmError("the Python package imageio-ffmpeg is not installed; it is in requirements/sim.txt")


def frames_of(recording: Recording, rate: float) -> Frames:
    """Poses at even times between the start of steering and the end, interpolated from the recording.

    Raises:
        FilmError: Nothing was recorded in that time.
    """
    session, truth = recording.session, recording.truth
    start = max(
        float(session.get("tracking", truth.t[0])), truth.t[0], recording.joint_t[0] if recording.joint_t.size else 0
    )
    end = min(
        float(session.get("end", truth.t[-1])), truth.t[-1], recording.joint_t[-1] if recording.joint_t.size else 0
    )
    if end <= start:
        raise FilmError(f"the recording holds no joint states and ground truth between {start:.2f} s and {end:.2f} s")
    t = np.arange(start, end, 1.0 / rate)
    root = np.column_stack([np.interp(t, truth.t, truth.pos_w[:, i]) for i in range(3)])
    joints = np.column_stack([np.interp(t, recording.joint_t, column) for column in recording.joint_pos.T])
    captions = [_caption(recording, now, now - start) for now in t]
    marker = Marker(recording)
    qpos = np.concatenate([root, _orientation(truth.t, truth.quat_wb, t), joints], axis=1)
    return Frames(t, qpos, captions, [marker.at(now) for now in t])


def _orientation(t: Array, quats: Array, at: Array) -> Array:
    """Interpolated quaternions, (F, 4)."""
    right = np.clip(np.searchsorted(t, at), 1, len(t) - 1)
    share = np.clip((at - t[right - 1]) / (t[right] - t[right - 1]), 0.0, 1.0)
    return slerp(quats[right - 1], quats[right], share)


def _caption(recording: Recording, now: float, elapsed: float) -> str:
    index = int(np.searchsorted(recording.command_t, now, side="right")) - 1
    vx, vy, wz = recording.command[index] if index >= 0 else (0.0, 0.0, 0.0)
    name = next((leg["name"] for leg in recording.session.get("legs", []) if leg["start"] <= now < leg["end"]), "")
    goal = next((goal for goal in recording.session.get("goals", []) if goal["start"] <= now < goal["end"]), None)
    if goal is not None:
        return f"{elapsed:5.1f} s   {goal['name']}\n{_distance(recording, now, goal['target']):.2f} m to the goal"
    return f"{elapsed:5.1f} s   {name}\ncommand: forward {vx:+.2f} m/s, left {vy:+.2f} m/s, turn {wz:+.2f} rad/s"


def _distance(recording: Recording, now: float, target: Sequence[float]) -> float:
    """Between the pelvis and a place [m]."""
    truth = recording.truth
    return math.dist([float(np.interp(now, truth.t, truth.pos_w[:, i])) for i in (0, 1)], target)


def _encode(
    path: Path,
    style: FilmStyle,
    batches: Iterator[Array],
    count: int,
    progress: Callable[[float], None] | None,
) -> None:
    import imageio_ffmpeg
    from PIL import Image

    writer = imageio_ffmpeg.write_frames(
        str(path),
        (style.width, style.height),
        fps=style.rate,
        codec="libx264",
        output_params=["-preset", "veryfast", "-crf", "24", "-threads", "1", "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    for i, images in enumerate(batches):
        for image in images:
            writer.send(np.ascontiguousarray(image))
        if i == count // 2:
            Image.fromarray(images[0]).save(path.with_suffix(".png"))
        if progress is not None:
            progress((i + 1) / count)
    writer.close()


# ------------------------------------------------------------ in the workers

_scene: object | None = None


def _start_worker(style: FilmStyle) -> None:
    """Load model and renderer once per process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives out the work
    global _scene  # a pool hands its workers nothing else to keep state in
    from .scene import Scene

    _scene = Scene(style.width, style.height)


def _render(qpos: Array, captions: list[str], marks: list[Marks]) -> Array:
    """Images of some poses, uint8, (F, height, width, 3)."""
    from .scene import Scene

    assert isinstance(_scene, Scene)
    return np.stack([_scene.image(*shot) for shot in zip(qpos, captions, marks, strict=True)])
