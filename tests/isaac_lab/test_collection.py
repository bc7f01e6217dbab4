"""Collection in Isaac Lab against collection in MuJoCo: same expert, commands and seed.

``make test-isaaclab``. The tests run here, in ``.venv``; Isaac Lab runs in its own environment, as for a user.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import RobotState
from beyondmimic_training.cli import main
from beyondmimic_training.collect.command import ISAACLAB_PYTHON, load_config
from beyondmimic_training.collect.episode import draw_episode
from beyondmimic_training.collect.fleet import MujocoFleet
from beyondmimic_training.collect.rollout import Rollout
from beyondmimic_training.store import load_dataset
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ISAACLAB_PYTHON.parents[1]
COMPLETE = ENVIRONMENT / ".setup" / "ours.stamp"
"""The last thing the set-up writes."""
if not COMPLETE.is_file():
    pytest.skip("Isaac Lab is not installed here; 'make setup-isaaclab' brings it", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.sim]
BACKENDS = ("mujoco", "isaaclab")
SETTINGS = {
    "episode": 3.0,
    "rounds_per_shard": 1,
    "drop_before_fall": 0.0,
    "command": {"long_stand_first": 0.0},
}
ROBOTS = 4
SEED = 3
HOURS = ROBOTS * SETTINGS["episode"] / 3600.0
SOON = 50
"""Frames for which the same targets keep two simulators together; later, contacts decide otherwise."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """The data set of each back end, by the command a user types."""
    base = tmp_path_factory.mktemp("collection")
    (base / "collect.yaml").write_text(yaml.safe_dump(SETTINGS))
    for backend in BACKENDS:
        words = ["collect", "--backend", backend, "--envs", str(ROBOTS), "--minutes", str(60.0 * HOURS)]
        words += ["--out", str(base / backend), "--seed", str(SEED), "--config", str(base / "collect.yaml")]
        assert main([*words, "--workers", "1"]) == 0
    return {backend: base / backend for backend in BACKENDS}


@pytest.fixture(scope="module")
def data(folders):
    return {backend: load_dataset(folder) for backend, folder in folders.items()}


def episode(dataset, number: int) -> dict[str, np.ndarray]:
    """Frames of the episode that was drawn as the ``number``-th."""
    (row,) = [r for r in dataset.episodes if r["seed"][-1] == number]
    return {name: values[row["start"] : row["start"] + row["length"]] for name, values in dataset.frames.items()}


def pairs(data):
    for number in range(ROBOTS):
        yield episode(data["mujoco"], number), episode(data["isaaclab"], number)


def test_both_data_sets_have_the_same_description_but_for_the_simulator(folders):
    described = {b: json.loads((f / "dataset.json").read_text()) for b, f in folders.items()}
    assert [described[b]["collection"].pop("backend") for b in BACKENDS] == list(BACKENDS)
    assert described["mujoco"] == described["isaaclab"]


def test_both_have_the_same_fields_and_table_and_were_drawn_alike(data):
    mujoco, lab = (data[b] for b in BACKENDS)
    assert {n: (v.dtype, v.shape[1:]) for n, v in mujoco.frames.items()} == {
        n: (v.dtype, v.shape[1:]) for n, v in lab.frames.items()
    }
    outcome = {"start", "length", "lived", "fell", "collection"}
    drawn = lambda dataset: [{k: v for k, v in row.items() if k not in outcome} for row in dataset.episodes]  # noqa: E731
    assert drawn(mujoco) == drawn(lab)
    for ours, theirs in pairs(data):
        shared = min(len(ours["command"]), len(theirs["command"]))
        np.testing.assert_array_equal(ours["command"][:shared], theirs["command"][:shared])


def test_episodes_begin_in_the_same_pose_and_stay_together_as_long_as_two_simulators_can(data):
    for ours, theirs in pairs(data):
        for name, bound in (("root_pos_w", 1e-4), ("root_quat_w", 1e-4), ("joint_pos", 1e-5)):
            np.testing.assert_allclose(theirs[name][0], ours[name][0], atol=bound)  # float32 in one of them
        assert np.abs(theirs["joint_pos"][:SOON] - ours["joint_pos"][:SOON]).mean() < 0.02
        assert np.linalg.norm(theirs["root_pos_w"][SOON] - ours["root_pos_w"][SOON]) < 0.05
        alike = np.abs(np.sum(theirs["root_quat_w"][:SOON] * ours["root_quat_w"][:SOON], axis=1))
        assert np.degrees(2.0 * np.arccos(np.minimum(alike, 1.0))).max() < 5.0


def test_statistics_agree_within_a_fifth_of_their_spread(data):
    """Means within 0.2 standard deviations, standard deviations within 20 %."""
    frames = {b: {k: v.astype(float) for k, v in data[b].frames.items()} for b in BACKENDS}
    for name in ("root_lin_vel_w", "root_ang_vel_w", "joint_pos", "joint_vel", "target_clean", "target_executed"):
        ours, theirs = frames["mujoco"][name], frames["isaaclab"][name]
        spread = np.sqrt(np.mean(ours.std(axis=0) ** 2))
        assert np.abs(theirs.mean(axis=0) - ours.mean(axis=0)).mean() < 0.2 * spread, name
        assert np.sqrt(np.mean(theirs.std(axis=0) ** 2)) == pytest.approx(spread, rel=0.2), name
    assert abs(data["isaaclab"].num_frames - data["mujoco"].num_frames) < 0.25 * data["mujoco"].num_frames


@pytest.mark.parametrize("backend", BACKENDS)
def test_velocities_are_the_derivatives_of_what_they_are_velocities_of(data, backend):
    """By differences over 40 ms, away from kicks and landings (the median): units, frames and joint order."""
    dt, derived, told = 0.02, [], []
    for number in range(ROBOTS):
        frames = {k: v.astype(float) for k, v in episode(data[backend], number).items()}
        for pos, vel in (("root_pos_w", "root_lin_vel_w"), ("joint_pos", "joint_vel"), ("key_pos_w", "key_vel_w")):
            derived.append(((frames[pos][2:] - frames[pos][:-2]) / (2.0 * dt)).ravel())
            told.append(frames[vel][1:-1].ravel())
        turns = Rotation.from_quat(frames["root_quat_w"], scalar_first=True)
        derived.append(((turns[2:] * turns[:-2].inv()).as_rotvec() / (2.0 * dt)).ravel())
        told.append(frames["root_ang_vel_w"][1:-1].ravel())
    for one, other in zip(derived, told, strict=True):
        assert np.median(np.abs(one - other)) < 0.15 * np.std(other)


def test_the_recorded_delay_is_the_drawn_one_to_the_physics_step(data, folders):
    """MuJoCo with other delays is further away, the more the further; the integrators differ by half a step."""
    config = load_config(folders["mujoco"].parent / "collect.yaml", envs=ROBOTS)
    plans = [draw_episode(config, (SEED, n)) for n in range(ROBOTS)]
    first = 20  # frames, until contacts tell more than one step of delay does
    distance = {}
    for off in (-2, -1, 0, 1, 2):
        shifted = [replace(p, delay=max(0.0, p.delay + off * config.physics_dt)) for p in plans]
        episodes = Rollout(config, MujocoFleet(config)).run(shifted)
        distance[off] = sum(
            np.abs(e.frames["joint_pos"][:first] - episode(data["isaaclab"], n)["joint_pos"][:first]).mean()
            for n, e in enumerate(episodes)
        )
    assert distance[0] < min(distance[-1], distance[1])
    assert distance[-2] > 1.3 * distance[-1]
    assert distance[2] > 1.3 * distance[1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_policy_trained_on_either_data_set_loads_in_the_planner_and_plans(folders, tmp_path, backend):
    pytest.importorskip("torch")
    from beyondmimic_diffusion.core.engine import load_policy
    from beyondmimic_diffusion.core.planner import GuidedPlanner
    from beyondmimic_training.smoke import TRAIN

    config = {**TRAIN, "steps": 3, "warmup_steps": 1, "validate_every": 1000, "data": [str(folders[backend])]}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump({**config, "out": str(tmp_path / "run")}))
    assert main(["train", "--config", str(tmp_path / "train.yaml"), "--fresh"]) == 0
    words = ["export", "--checkpoint", str(tmp_path / "run/checkpoint.pt"), "--out", str(tmp_path / "policy")]
    assert main([*words, "--name", backend]) == 0
    policy = load_policy(tmp_path / "policy")
    assert policy.manifest.training["data"]["collect"]["backend"] == backend
    planner = GuidedPlanner(policy)
    standing = RobotState(
        stamp=1.0,
        root_pos_w=np.array([0.0, 0.0, g1.DEFAULT_ROOT_HEIGHT]),
        root_quat_w=np.array([1.0, 0.0, 0.0, 0.0]),
        root_lin_vel_w=np.zeros(3),
        root_ang_vel_w=np.zeros(3),
        joint_pos=g1.DEFAULT_JOINT_POS,
        joint_vel=np.zeros(g1.NUM_JOINTS),
    )
    planner.observe(standing)
    plan = planner.plan(())
    assert plan.joint_targets.shape[1] == g1.NUM_JOINTS
    assert np.abs(plan.joint_targets - g1.DEFAULT_JOINT_POS).max() < 1.5


@pytest.mark.parametrize("generation", ["2", "3"])
def test_the_modules_type_check_against_isaac_lab(generation, tmp_path):
    other = {"2": "3", "3": "2"}[generation]
    source = ROOT / "training/beyondmimic_training/collect/isaaclab"
    for name in ("environment.py", f"lab{generation}.py"):
        (tmp_path / name).write_text((source / name).read_text())
    assert not (tmp_path / f"lab{other}.py").exists()
    folder = {"2": ROOT / ".venv", "3": ENVIRONMENT}[generation]  # torch; and Isaac Lab 3
    (packages,) = (folder / "lib").glob("python*/site-packages")
    sources = {"2": ENVIRONMENT / "isaaclab2/isaaclab/source/isaaclab", "3": packages}[generation]
    settings = {
        "extraPaths": [str(sources), str(ROOT / "ros2_ws/src/beyondmimic_diffusion"), str(packages)],
        "reportMissingImports": "warning",  # Isaac Sim's own, under 2.x
        "reportMissingModuleSource": False,
        "reportPrivateImportUsage": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    pyright = ROOT / ".venv/bin/pyright"
    result = subprocess.run([pyright, "-p", tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "isaaclab.assets" not in result.stdout  # a missing Isaac Lab would be a warning only
