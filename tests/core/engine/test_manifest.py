"""Manifest: round trip, and one clear refusal per kind of mistake."""

import json
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import NormalizerStats, PolicyManifest
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError
from beyondmimic_diffusion.core.state.normalizer import Normalizer


def load(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return PolicyManifest.load(tmp_path)


def test_a_saved_manifest_loads_as_the_same_facts(manifest, tmp_path):
    path = manifest.save(tmp_path)
    assert path.name == "manifest.json"
    assert PolicyManifest.load(path) == PolicyManifest.load(tmp_path) == manifest


def test_statistics_survive_the_way_through_the_manifest_to_the_bit(manifest, tmp_path):
    normalizer = Normalizer.fit(np.random.default_rng(0).standard_normal((100, 5)))
    replace(manifest, state_normalizer=NormalizerStats.of(normalizer)).save(tmp_path)
    back = PolicyManifest.load(tmp_path).state_normalizer.normalizer()
    for name in ("scale", "offset", "low", "high"):
        np.testing.assert_array_equal(getattr(back, name), getattr(normalizer, name))


def test_setpoint_spacing_is_the_step_divided_by_its_setpoints(manifest):
    assert manifest.setpoint_dt == pytest.approx(0.02)


def spoil(content, path, value):
    """Set or (value None) delete an entry of nested JSON."""
    *parents, last = path
    for key in parents:
        content = content[key]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["kp"], None, "field 'kp' is missing"),
        (["sampling", "passses"], 3, "field 'sampling.passses' is unknown; did you mean 'sampling.passes'"),
        (["colour"], "red", "field 'colour' is unknown; known fields: name, robot"),
        (["horizon"], "sixteen", r"field 'horizon' is 'sixteen' \(text\); it must be a whole number"),
        (["horizon"], 4.5, "field 'horizon' is 4.5"),
        (["horizon"], True, "field 'horizon' is True"),
        (["kp"], 3.0, "field 'kp' is 3.0 .*must be a list"),
        (["kp", 1], "stiff", r"field 'kp\[1\]' is 'stiff'"),
        (["kp", 1], float("nan"), r"field 'kp\[1\]' is nan .*finite number"),
        (["step_dt"], float("inf"), "field 'step_dt' is inf"),
        (["key_points", 0, "body"], None, r"field 'key_points\[0\].body' is missing"),
        (["key_points", 0, "offset_b"], [0.1, 0.2], r"key_points\[0\].offset_b' has 2 entries; it must have 3"),
        (["state_normalizer"], [1.0], r"field 'state_normalizer' is \[1.0\] \(list\); it must be an object"),
        (["action_kind"], "latent", "action_kind is 'latent'; known are joint_position"),
        (["state_kind"], "pixels", "state_kind is 'pixels'; known are body_pos, joint_rot"),
        (["sampling", "least_passes"], 0, "least_passes is 0; give at least 1, or -1"),
        (["sampling", "mode"], "fast", "sampling.mode is 'fast'"),
        (["step_dt"], 0.0, "step_dt is 0.0; it must be positive"),
        (["kd"], [1.0], "kd has 1 entries for 3 joints"),
        (["joint_names"], ["a", "a", "b"], "joint_names must be different names"),
        (["key_points"], [], "key_points is empty"),
        (["delay_range"], [0.05, 0.0], r"delay_range is \[0.05, 0.0\]"),
        (["setpoints_per_step"], 1, "action_normalizer has 6 entries; 1 set-points of 3 joints need 3"),
        (["state_normalizer", "low"], [0.0], "state_normalizer: scale, offset, low and high have different lengths"),
        (["state_normalizer", "scale", 0], 0.0, "state_normalizer.scale must be positive"),
        (["action_normalizer", "low", 2], 9.0, "action_normalizer.low is above high"),
        (["network", "horizon"], 99, "network.horizon is 99, the manifest says 4"),
        (["schema_version"], 2, "has schema_version 2; this build reads up to 1"),
    ],
)
def test_each_mistake_is_refused_by_name(content, tmp_path, path, value, words):
    spoil(content, path, value)
    with pytest.raises(ArtifactError, match=words):
        load(tmp_path, content)


def test_a_newer_manifest_is_refused_for_its_version_even_if_its_fields_are_unknown_too(content, tmp_path):
    content.update(schema_version=7, quantum=True)
    with pytest.raises(ArtifactError, match="schema_version 7"):
        load(tmp_path, content)


def test_a_missing_or_cut_off_file_is_refused_with_its_path(manifest, tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        PolicyManifest.load(tmp_path)
    text = manifest.save(tmp_path).read_text()
    with pytest.raises(ArtifactError, match="cannot be read as JSON"):
        load(tmp_path, text[: len(text) // 2])
    with pytest.raises(ArtifactError, match="the content is .* it must be an object"):
        load(tmp_path, "[1, 2]")


def test_the_robot_it_was_trained_for_is_accepted(manifest):
    manifest.check_robot(manifest.joint_names, robot="three_joints", mode_machine=6)
    replace(manifest, mode_machine=()).check_robot(list(manifest.joint_names), mode_machine=99)


def test_another_robot_is_refused_with_the_first_difference(manifest):
    with pytest.raises(ArtifactMismatchError, match="index 1, policy has 'right_knee', robot has 'waist'"):
        manifest.check_robot(("left_knee", "waist", "right_knee"))
    with pytest.raises(ArtifactMismatchError, match="trained for 3 joints, the robot has 2"):
        manifest.check_robot(("left_knee", "right_knee"))
    with pytest.raises(ArtifactMismatchError, match="robot 'three_joints', this is 'dog'"):
        manifest.check_robot(manifest.joint_names, robot="dog")
    with pytest.raises(ArtifactMismatchError, match="mode_machine 5, 6; this robot reports 4"):
        manifest.check_robot(manifest.joint_names, mode_machine=4)


def test_another_rate_is_refused_with_both_rates(manifest):
    manifest.check_rate(0.04, setpoints_per_step=2)
    with pytest.raises(ArtifactMismatchError, match="steps of 0.04 s, asked for 0.02 s"):
        manifest.check_rate(0.02)
    with pytest.raises(ArtifactMismatchError, match="2 set-points in a step, asked for 1"):
        manifest.check_rate(0.04, setpoints_per_step=1)
