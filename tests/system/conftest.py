"""The shipped policy, or the one that POLICY names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

POLICY = Path(os.environ.get("POLICY") or Path(__file__).parents[2] / "policies" / "walk")


@pytest.fixture(scope="session")
def policy():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("mujoco")
    from beyondmimic_diffusion.core.engine import load_policy

    if not POLICY.is_dir():
        pytest.skip(f"no policy in {POLICY}; train and export one, or name another by POLICY=FOLDER")
    return load_policy(POLICY, "onnx")
