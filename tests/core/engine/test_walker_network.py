"""The walker that stands in for the planner's policy: opened only where it fits, refused with what differs."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError
from beyondmimic_diffusion.core.execution import AnkleController, StandingConfig, SteppingController
from beyondmimic_diffusion.core.robot import velocity_walker

pytest.importorskip("onnxruntime", reason="the walker is an ONNX policy")

from beyondmimic_diffusion.core.engine.manifest import PolicyManifest  # noqa: E402
from beyondmimic_diffusion.core.engine.walker_network import WalkerNetwork, open_standing  # noqa: E402


@pytest.fixture(scope="module")
def manifest():
    return PolicyManifest.load("policies/walk")


@pytest.mark.parametrize("name", velocity_walker.WALKER_FILES)
def test_the_walkers_of_the_package_put_out_one_finite_action_per_joint(manifest, name):
    action = WalkerNetwork(name, manifest)(np.full((1, 100), 0.1))
    assert action.shape == (29,)
    assert np.isfinite(action).all() and np.ptp(action) > 0.0


def test_a_walker_by_its_path_is_the_walker_by_its_name(manifest):
    seen = np.linspace(-1.0, 1.0, 100)[None]
    path = velocity_walker.pretrained_path(velocity_walker.WALKER_FILES["fastsac_walker"])
    np.testing.assert_array_equal(WalkerNetwork(path, manifest)(seen), WalkerNetwork("fastsac_walker", manifest)(seen))


def test_the_configuration_says_whether_it_steps_or_stands_on_its_ankles(manifest):
    assert isinstance(open_standing(StandingConfig(), manifest), SteppingController)
    assert isinstance(open_standing(StandingConfig(policy=""), manifest), AnkleController)
    assert isinstance(open_standing(StandingConfig(enabled=False, policy="no such"), manifest), AnkleController)


@pytest.mark.parametrize("fact", ["kp", "kd"])
def test_a_walker_with_other_gains_is_refused_with_both_and_the_remedy(manifest, fact):
    other = replace(manifest, **{fact: tuple(1.1 * value for value in getattr(manifest, fact))})
    with pytest.raises(ArtifactMismatchError, match=rf"trained with {fact} .*standing\.policy"):
        WalkerNetwork("fastsac_walker", other)


def test_a_walker_of_other_joints_is_refused(manifest):
    names = (*manifest.joint_names[1:], manifest.joint_names[0])
    with pytest.raises(ArtifactMismatchError, match=r"acts on joints .*standing\.policy"):
        WalkerNetwork("fastsac_walker", replace(manifest, joint_names=names))


def test_a_network_with_other_inputs_is_refused(manifest):
    path = velocity_walker.pretrained_path("wbt/fastsac_g1_29dof_dancing.onnx")
    with pytest.raises(ArtifactMismatchError, match="a walker has"):
        WalkerNetwork(path, manifest)


def test_a_missing_or_damaged_file_is_refused_with_its_name(manifest, tmp_path):
    with pytest.raises(ArtifactError, match=r"no walker 'nobody'.*fastsac_walker"):
        WalkerNetwork("nobody", manifest)
    damaged = tmp_path / "walker.onnx"
    damaged.write_bytes(b"no network")
    with pytest.raises(ArtifactError, match=r"cannot load .*walker\.onnx"):
        WalkerNetwork(damaged, manifest)


def test_without_the_package_its_name_and_the_command_that_installs_it_are_given(manifest, monkeypatch):
    monkeypatch.setattr(velocity_walker.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArtifactError, match=r"pip install .*holosoma-inference"):
        WalkerNetwork("fastsac_walker", manifest)
