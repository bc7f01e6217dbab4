"""The G1's MJCF as USD, made once and kept: the same collision shapes, masses and armatures as in MuJoCo.

``python -m beyondmimic_training.collect.isaaclab.asset out/g1.usdc`` writes it to a file, e.g. for Isaac Sim.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from beyondmimic_diffusion.core.errors import RobotModelError
from beyondmimic_diffusion.core.robot.model import FLOOR_GEOM, build_spec

CACHE = "BEYONDMIMIC_CACHE"
"""Environment variable: folder of the USD files."""


def cache_folder() -> Path:
    """``~/.cache/beyondmimic`` unless told otherwise."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache" / "beyondmimic")


def g1_usd_path() -> Path:
    """USD of the robot alone, without floor, meshes and actuators; converted if it is not there yet.

    Raises:
        RobotModelError: The converter left no file.
    """
    spec = build_spec(actuators=False)
    spec.delete(spec.geom(FLOOR_GEOM))
    for thing in (*spec.lights, *spec.cameras):
        spec.delete(thing)
    spec.compile()
    xml = spec.to_xml()
    path = cache_folder() / f"g1-{hashlib.sha256(xml.encode()).hexdigest()[:12]}.usdc"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _convert(xml, path)
    return path


def _convert(xml: str, path: Path) -> None:
    from mujoco_usd_converter import Converter  # brings OpenUSD with it; only where Isaac Lab is

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source = Path(folder) / "g1.xml"
        source.write_text(xml)
        Converter(layer_structure=False, scene=False).convert(str(source), str(Path(folder) / "usd"))
        made = sorted((Path(folder) / "usd").glob("*.usd*"))
        if len(made) != 1:
            raise RobotModelError(f"mujoco-usd-converter left {[p.name for p in made]}; one USD file was expected")
        made[0].replace(path)


def main(words: Sequence[str] | None = None) -> int:
    """Write the USD file to a path; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the file to write")
    out = parser.parse_args(words).out
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(g1_usd_path(), out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
