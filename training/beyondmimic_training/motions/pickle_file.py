"""Motions as Python pickles, as the retargeter GMR writes them, read without running anything that they name.

A pickle is a program. Only what rebuilds arrays, numbers, texts and containers is allowed here; a file that names
anything else is refused before that is imported.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.robot import g1

from .motion import Motion, MotionError

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
}
_KEYS = ("fps", "root_pos", "root_rot", "dof_pos")


class _ArraysOnly(pickle.Unpickler):
    """Resolves the few names that arrays are rebuilt with."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names '{module}.{name}', which no motion needs")
        return super().find_class(module, name)


def read_pickle(path: Path, rate_hz: float | None) -> Motion:
    """Read a GMR motion: a mapping with fps, root_pos (T, 3), root_rot (T, 4) as x y z w, and dof_pos (T, 29).

    Args:
        path: The file.
        rate_hz: Frames a second, instead of what the file says; None: what it says.

    Raises:
        MotionError: Not such a file, or one that would run code.
    """
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # damaged pickles raise nearly anything
        raise MotionError(f"motion file '{path.name}' is not a pickle of plain arrays: {error}") from error
    if not isinstance(content, dict) or any(key not in content for key in _KEYS):
        found = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise MotionError(f"motion file '{path.name}' holds {found}; a mapping with {list(_KEYS)} was expected")
    try:
        rate, root_pos, root_rot, dof_pos = (np.asarray(content[key], dtype=np.float64) for key in _KEYS)
    except (TypeError, ValueError) as error:
        raise MotionError(f"motion file '{path.name}': {list(_KEYS)} must be numbers ({error})") from error
    frames = len(dof_pos) if dof_pos.ndim else 0
    for name, array, width in (
        ("root_pos", root_pos, 3),
        ("root_rot", root_rot, 4),
        ("dof_pos", dof_pos, g1.NUM_JOINTS),
    ):
        if array.shape != (frames, width) or not frames:
            raise MotionError(
                f"motion file '{path.name}': {name} has shape {array.shape}; ({frames or 'T'}, {width}) was expected"
            )
    return Motion(rate_hz or float(rate.reshape(-1)[0]), root_pos, root_rot[:, [3, 0, 1, 2]], dof_pos)
