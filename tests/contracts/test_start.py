"""What nodes import at their start is what they need: each process pays for it, on a machine with few cores."""

import subprocess
import sys

import pytest

NODES = ("action_executor", "diffusion_planner", "mujoco_sim", "state_estimator", "supervisor")
"""All but the task server, which plans routes."""
HEAVY = {"scipy", "skimage", "matplotlib", "torch", "mcap"}


@pytest.mark.ros
def test_only_the_task_server_loads_what_routes_and_maps_need():
    modules = [f"beyondmimic_diffusion.nodes.{name}_node" for name in NODES]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in result.stdout.split()} & HEAVY == set()


@pytest.mark.ros
def test_the_task_server_has_loaded_them_before_the_first_map_comes():
    code = "import sys, beyondmimic_diffusion.nodes.guidance_task_server_node; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"scipy.ndimage", "skimage.graph"} <= set(result.stdout.split())
