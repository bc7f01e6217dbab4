"""Trackers of whole_body_tracking and mjlab as experts: they move as their own network does, or are refused by name."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import onnx
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.velocity_walker import pretrained_path
from beyondmimic_diffusion.core.rotations import quat_from_rotvec
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_training.collect import CollectConfig
from beyondmimic_training.collect.episode import draw_episode
from beyondmimic_training.collect.rollout import Rollout
from beyondmimic_training.experts import RobotBatch, make_expert

from tests.reference import exported_tracker as export

DANCER = "wbt/fastsac_g1_29dof_dancing.onnx"
ZEROS = np.zeros(g1.NUM_JOINTS)
ONES = np.ones(g1.NUM_JOINTS)
FRAMES = 120


@pytest.fixture(scope="module")
def dancer():
    return make_expert("fastsac_dancer")


@pytest.fixture(scope="module")
def motion(dancer) -> dict[str, np.ndarray]:
    m = dancer.motion
    parts = (m.joint_pos, m.joint_vel, m.anchor_pos_w, m.anchor_quat_w)
    return export.motion_arrays(*(part[:FRAMES] for part in parts))


@pytest.fixture(scope="module")
def exported(dancer, motion, tmp_path_factory) -> Path:
    """A folder with the dancer as an exported tracker, its motion file, and the YAML file that names both."""
    folder = tmp_path_factory.mktemp("experts")
    export.write_dancer(
        folder / "dance.onnx", pretrained_path(DANCER), motion, export.metadata(dancer.kp, dancer.kd, ONES)
    )
    np.savez(folder / "dance.npz", **motion)
    (folder / "dance.yaml").write_text("onnx: dance.onnx\nmotion: dance.npz\nskill_id: 16\n")
    return folder


def yaml_beside(exported: Path, tmp_path: Path, onnx_file: Path, motion_file: str = "") -> str:
    (tmp_path / "other.yaml").write_text(
        f"onnx: {onnx_file}\nskill_id: 17\n" + (f"motion: {exported / motion_file}\n" if motion_file else "")
    )
    return str(tmp_path / "other.yaml")


def with_metadata(exported: Path, tmp_path: Path, key: str, change) -> str:
    """The YAML file of the same tracker with one entry of its metadata changed."""
    model = onnx.load(exported / "dance.onnx")
    facts = {p.key: p.value for p in model.metadata_props}
    facts[key] = change(facts[key])
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, tmp_path / "other.onnx")
    return yaml_beside(exported, tmp_path, tmp_path / "other.onnx")


@pytest.mark.parametrize("motion_from", ["file", "network"])
def test_an_exported_tracker_moves_the_robot_as_the_same_network_behind_its_old_interface(
    dancer, exported, tmp_path, motion_from
):
    name = (
        str(exported / "dance.yaml")
        if motion_from == "file"
        else yaml_beside(exported, tmp_path, exported / "dance.onnx")
    )
    tracker = make_expert(name)
    sim = MujocoG1(timestep=0.004, sensors=False)
    sim.reset(joint_pos=dancer.motion.joint_pos[0], root_quat_w=quat_from_rotvec([0.0, 0.0, 1.0]))
    for expert in (dancer, tracker):
        expert.reset(RobotBatch.of(sim.state()))
    for _ in range(FRAMES - 20):
        target, other = (e.act(RobotBatch.of(sim.state()), np.zeros((1, 3)))[0] for e in (dancer, tracker))
        # the exported file keeps motion and offsets in float32, and the default pose to three decimals
        np.testing.assert_allclose(other, target, atol=2e-4)
        sim.step(JointCommand(0.0, target, ZEROS, dancer.kp, dancer.kd, ZEROS), 5)
    assert np.abs(sim.state().joint_pos - dancer.motion.joint_pos[0]).max() > 0.2
    np.testing.assert_allclose(tracker.kp, dancer.kp, atol=6e-4)  # three decimals
    assert tracker.skill_id == (16 if motion_from == "file" else 17)


def test_what_the_tracker_sees_of_anchor_and_velocity_is_what_mujoco_says(dancer, motion, exported, tmp_path):
    begin = 2 * g1.NUM_JOINTS
    export.write_probe(tmp_path / "probe.onnx", begin, motion, export.metadata(dancer.kp, dancer.kd, ONES))
    probe = make_expert(yaml_beside(exported, tmp_path, tmp_path / "probe.onnx"))
    rng = np.random.default_rng(0)
    sim = MujocoG1(sensors=False)
    sim.reset(joint_pos=g1.DEFAULT_JOINT_POS + rng.normal(0.0, 0.2, g1.NUM_JOINTS))
    probe.reset(RobotBatch.of(sim.state()))
    torso = sim.model.body("torso_link").id
    first_pos, first_mat = sim.data.xpos[torso].copy(), sim.data.xmat[torso].reshape(3, 3).copy()
    sim.data.qpos[:] += rng.normal(0.0, 0.1, 36)
    sim.data.qpos[3:7] /= np.linalg.norm(sim.data.qpos[3:7])
    sim.data.qvel[:] = rng.normal(0.0, 0.5, 35)
    mujoco.mj_forward(sim.model, sim.data)
    seen = (probe.act(RobotBatch.of(sim.state()), np.zeros((1, 3)))[0] - g1.DEFAULT_JOINT_POS)[export.ORDER]

    # by hand: the motion begins where the torso was at the reset, seen from above
    start_pos = motion["body_pos_w"][0, torso - 1]
    start_mat = np.zeros(9)
    mujoco.mju_quat2Mat(start_mat, motion["body_quat_w"][0, torso - 1])
    start_mat = start_mat.reshape(3, 3)
    turn = np.arctan2(first_mat[1, 0], first_mat[0, 0]) - np.arctan2(start_mat[1, 0], start_mat[0, 0])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    wanted_pos = np.array([first_pos[0], first_pos[1], start_pos[2]])
    torso_mat = sim.data.xmat[torso].reshape(3, 3)
    root_mat = sim.data.xmat[sim.model.body("pelvis").id].reshape(3, 3)
    expected = np.concatenate(
        [
            torso_mat.T @ (wanted_pos - sim.data.xpos[torso]),
            (torso_mat.T @ about_z @ start_mat)[:, :2].reshape(-1),
            root_mat.T @ sim.data.qvel[:3],
            sim.data.qvel[3:6],
        ]
    )
    np.testing.assert_allclose(seen[: len(expected)], expected, atol=1e-5)  # float32
    joints = (sim.data.qpos[7:] - g1.DEFAULT_JOINT_POS)[export.ORDER]
    np.testing.assert_allclose(seen[len(expected) :], joints[: g1.NUM_JOINTS - len(expected)], atol=1e-5)


def test_scales_and_clips_of_mjlab_are_applied_to_the_terms(dancer, motion, exported, tmp_path):
    begin = 2 * g1.NUM_JOINTS + 3 + 6 + 3
    facts = export.metadata(dancer.kp, dancer.kd, ONES)
    facts |= {
        "observation_terms_scale": "1.0,1.0,1.0,1.0,0.5;2.0;3.0,1.0,0.05,1.0",
        "observation_terms_clip": ",".join(["-inf;inf"] * 4 + ["-0.4;0.4"] + ["-inf;inf"] * 3),
        "observation_terms_history_length": ",".join(["0"] * 8),
    }
    export.write_probe(tmp_path / "probe.onnx", begin, motion, facts)
    probe = make_expert(yaml_beside(exported, tmp_path, tmp_path / "probe.onnx"))
    sim = MujocoG1(sensors=False)
    sim.data.qvel[3:6] = (0.3, 0.6, -0.2)
    probe.reset(RobotBatch.of(sim.state()))
    seen = (probe.act(RobotBatch.of(sim.state()), np.zeros((1, 3)))[0] - g1.DEFAULT_JOINT_POS)[export.ORDER]
    np.testing.assert_allclose(seen[:3], [0.5 * 0.3, 2.0 * 0.4, 3.0 * -0.2], atol=1e-6)


REFUSED = {
    "one joint renamed": (
        "joint_names",
        lambda text: text.replace("left_knee_joint", "left_nkee_joint"),
        "joint 'left_nkee_joint', which the robot does not have; did its exporter mean 'left_knee_joint'",
    ),
    "one joint missing": ("joint_names", lambda text: text.rsplit(",", 1)[0], "28 joints.*'right_wrist_yaw_joint'"),
    "one gain missing": (
        "joint_stiffness",
        lambda text: text.rsplit(",", 1)[0],
        "joint_stiffness has 28 numbers for 29",
    ),
    "one gain empty": (
        "joint_damping",
        lambda text: ",".join(["", *text.split(",")[1:]]),
        "joint_damping of left_hip_pitch_joint is missing",
    ),
    "one gain zero": (
        "joint_damping",
        lambda text: ",".join(["0.000", *text.split(",")[1:]]),
        "joint_damping of left_hip_pitch_joint is 0",
    ),
    "other default pose": (
        "default_joint_pos",
        lambda text: text.replace("0.669", "0.300"),
        "default_joint_pos of left_knee_joint is 0.3 rad; 0.669 was expected",
    ),
    "no scales": ("action_scale", lambda text: "", "no metadata 'action_scale'"),
    "not a number": ("action_scale", lambda text: text.replace("1.000", "one", 1), "holds 'one'"),
    "unknown term": (
        "observation_names",
        lambda text: text.replace("base_lin_vel", "height_scan"),
        "sees 'height_scan'",
    ),
    "a term less": (
        "observation_names",
        lambda text: text.replace("base_lin_vel,", ""),
        "history_lengths has 8 entries for 7",
    ),
    "a wider term": (
        "observation_names",
        lambda text: text.replace("base_lin_vel", "actions"),
        "takes 160 .* make 186",
    ),
    "a history": (
        "observation_history_lengths",
        lambda text: text.replace("1", "5", 1),
        "term 'command' has a history of 5 frames",
    ),
    "unknown anchor": ("anchor_body_name", lambda text: "chest", "no body 'chest'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_metadata_that_does_not_fit_is_refused_by_name(case, exported, tmp_path):
    key, change, sentence = REFUSED[case]
    name = with_metadata(exported, tmp_path, key, change)
    if case == "unknown anchor":
        name = yaml_beside(exported, tmp_path, tmp_path / "other.onnx", "dance.npz")
    with pytest.raises(ArtifactMismatchError, match=sentence):
        make_expert(name)


def test_a_motion_file_of_another_motion_is_refused_with_the_joint_and_frame_that_differ(exported, motion, tmp_path):
    def refused(match: str, error=ArtifactMismatchError, **changes) -> None:
        np.savez(tmp_path / "motion.npz", **{k: v for k, v in (motion | changes).items() if v is not None})
        (tmp_path / "e.yaml").write_text(f"onnx: {exported / 'dance.onnx'}\nmotion: motion.npz\nskill_id: 16\n")
        with pytest.raises(error, match=match):
            make_expert(str(tmp_path / "e.yaml"))

    bent = motion["joint_pos"].copy()
    bent[7, export.ORDER.index(g1.JOINT_NAMES.index("left_knee_joint"))] += 0.1
    refused("left_knee_joint at .* in frame 7", joint_pos=bent)
    refused(
        "has 100 frames, the motion inside 'dance.onnx' 120", **{k: v[:100] for k, v in motion.items() if k != "fps"}
    )
    refused("30 frames a second", fps=np.array([30]))
    refused(r"lacks \['joint_vel'\]", ArtifactError, joint_vel=None)


def test_an_expert_file_with_a_mistake_is_refused_by_the_key(exported, tmp_path):
    def refused(text: str, match: str) -> None:
        (tmp_path / "e.yaml").write_text(text)
        with pytest.raises((ConfigError, ArtifactError), match=match):
            make_expert(str(tmp_path / "e.yaml"))

    refused("onnx: a.onnx\nskill: 16\n", "unknown key 'skill'")
    refused("onnx: a.onnx\nskill_id: 2\n", "skill_id 2 is not in 16 to 127")
    refused("onnx: a.onnx\n", r"lacks \['skill_id'\]")
    refused("onnx: 3\nskill_id: 16\n", "onnx is a str; got 3")
    refused("onnx: a.onnx\nskill_id: 16\n", "no ONNX file")
    (tmp_path / "a.onnx").write_bytes(b"no protobuf at all")
    refused("onnx: a.onnx\nskill_id: 16\n", "not a readable ONNX model")
    with pytest.raises(ConfigError, match="no expert 'crawler'"):
        make_expert("crawler")


def test_a_recording_of_an_exported_tracker_carries_its_skill_and_targets(exported):
    config = CollectConfig(expert=str(exported / "dance.yaml"), episode=0.4, robots=1, rounds_per_shard=1)
    (episode,) = Rollout(config).run([draw_episode(config, (0, 0))])
    assert set(episode.frames["skill"].ravel().tolist()) == {16}
    assert episode.info["expert"] == "dance"
    assert np.abs(episode.frames["target_clean"] - g1.DEFAULT_JOINT_POS).max() > 0.01
