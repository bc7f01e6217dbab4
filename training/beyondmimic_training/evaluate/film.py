"""A short film of one episode. Runs as a process of its own: ``python -m beyondmimic_training.evaluate.film IN OUT``.

MuJoCo chooses its GL library when it is imported, and a missing or broken one may end the process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.types import Array

_log = logging.getLogger(__name__)
WIDTH, HEIGHT = 640, 480
FRAME_RATE = 25
"""[1/s]."""
STRIDE = 2
"""Every second recorded frame is drawn."""
TIMEOUT = 600.0
"""[s]."""


def make_film(path: Path, qpos: Array, captions: Sequence[str]) -> Path | None:
    """Render recorded positions, 20 ms apart; None, with a line that says why, where there is no GL.

    Args:
        path: MP4 file to write.
        qpos: Shape (T, 36).
        captions: What is written into each of the T frames.
    """
    recording = path.with_suffix(".npz")
    np.savez_compressed(recording, qpos=qpos, captions=np.array(captions))
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


def render(qpos: Array, captions: Sequence[str], path: Path) -> None:
    """Draw each second frame with the visual meshes and write an MP4; the camera follows the pelvis."""
    import imageio_ffmpeg
    from beyondmimic_diffusion.session.scene import Scene

    scene = Scene(WIDTH, HEIGHT)
    options = ["-preset", "veryfast", "-crf", "24", "-threads", "1", "-movflags", "+faststart"]
    writer = imageio_ffmpeg.write_frames(
        str(path), (WIDTH, HEIGHT), fps=FRAME_RATE, codec="libx264", output_params=options, ffmpeg_log_level="error"
    )
    writer.send(None)
    for pose, caption in zip(qpos[::STRIDE], captions[::STRIDE], strict=True):
        writer.send(np.ascontiguousarray(scene.image(pose, caption)))
    writer.close()


if __name__ == "__main__":
    recorded = np.load(sys.argv[1])
    render(recorded["qpos"].astype(np.float64), recorded["captions"].tolist(), Path(sys.argv[2]))
