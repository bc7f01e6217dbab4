"""A short film of one episode. Runs as a process of its own: ``python -m beyondmimic_training.evaluate.film IN OUT``.

MuJoCo chooses its GL library when it is imported, and a missing or broken one may end the process.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.tasks import Scene as Obstacles
from beyondmimic_diffusion.core.types import Array

from .judge import TRACE_DT

_log = logging.getLogger(__name__)
WIDTH, HEIGHT = 640, 480
FRAME_RATE = 25
"""[1/s]."""
STRIDE = 2
"""Every second recorded frame is drawn."""
TIMEOUT = 600.0
"""[s]."""


@dataclass(frozen=True)
class Surroundings:
    """What is shown besides the robot."""

    scene: Obstacles
    """Obstacles, where they are at the first frame, and the goal."""
    route_xy_w: Array | None = None
    """[m], shape (P, 2)."""


def make_film(
    path: Path, qpos: Array, captions: Sequence[str], surroundings: Surroundings | None = None
) -> Path | None:
    """Render recorded positions, 20 ms apart; None, with a line that says why, where there is no GL.

    Args:
        path: MP4 file to write.
        qpos: Shape (T, 36).
        captions: What is written into each of the T frames.
        surroundings: None: a bare floor.
    """
    recording = path.with_suffix(".npz")
    around = surroundings or Surroundings(Obstacles("bare floor"))
    route = np.zeros((0, 2)) if around.route_xy_w is None else around.route_xy_w
    scene = json.dumps(around.scene.to_dict())
    np.savez_compressed(recording, qpos=qpos, captions=np.array(captions), route=route, scene=np.array(scene))
    environment = {"MUJOCO_GL": "egl", **os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "beyondmimic_training.evaluate.film", str(recording), str(path)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        failure = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        failure = f"took longer than {TIMEOUT:.0f} s"
    finally:
        recording.unlink()
    if failure:
        path.unlink(missing_ok=True)
        _log.warning("no film: %s (software rendering needs EGL: Debian's libegl1 and libgl1-mesa-dri)", failure)
        return None
    return path


def render(qpos: Array, captions: Sequence[str], around: Surroundings, path: Path) -> None:
    """Draw each second frame with the visual meshes and write an MP4; the camera follows the pelvis."""
    import imageio_ffmpeg
    from beyondmimic_diffusion.session.marks import Marks
    from beyondmimic_diffusion.session.scene import Scene
    from beyondmimic_diffusion.session.solids import solid_of

    scene = Scene(WIDTH, HEIGHT)
    options = ["-preset", "veryfast", "-crf", "24", "-threads", "1", "-movflags", "+faststart"]
    writer = imageio_ffmpeg.write_frames(
        str(path), (WIDTH, HEIGHT), fps=FRAME_RATE, codec="libx264", output_params=options, ffmpeg_log_level="error"
    )
    writer.send(None)
    for frame in range(0, len(qpos), STRIDE):
        marks = Marks(
            solids=tuple(solid_of(obstacle, frame * TRACE_DT) for obstacle in around.scene.obstacles),
            goal_xy=around.scene.goal,
            goal_heading=around.scene.goal_heading,
            route_xy=around.route_xy_w,
        )
        writer.send(np.ascontiguousarray(scene.image(qpos[frame], captions[frame], marks)))
    writer.close()


def _main(recording: str, film: str) -> None:
    recorded = np.load(recording)
    route = recorded["route"]
    around = Surroundings(Obstacles.from_dict(json.loads(str(recorded["scene"]))), route if len(route) else None)
    render(recorded["qpos"].astype(np.float64), recorded["captions"].tolist(), around, Path(film))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
