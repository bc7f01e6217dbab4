"""Which policy may take over from which, and what a refusal is called."""

import re
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import (
    KeyPointFact,
    PolicyManifest,
    check_exchangeable,
    kind_of,
    load_successor,
    save_golden,
)
from beyondmimic_diffusion.core.engine.exchange import SHARED
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, BeyondMimicError

OTHER = {
    "robot": "h1", "mode_machine": (5,), "joint_names": ("left_knee", "waist", "right_knee"), "kp": (40.0, 41.0, 28.5),
    "kd": (2.5, 2.5, 1.9), "default_joint_pos": (0.3, 0.2, 0.0), "action_kind": "joint_position_2",
    "setpoints_per_step": 1, "step_dt": 0.02, "action_horizon": 2, "delay_range": (0.0, 0.02), "history_len": 3,
    "horizon": 8, "state_kind": "joint_rot",
    "key_points": (KeyPointFact("toe", "left_ankle_roll_link", (0.13, 0.0, -0.025), 0.05),),
}  # fmt: skip


def unchecked(manifest, **changes):
    """A manifest with other facts, even those that contradict each other."""
    other = object.__new__(PolicyManifest)
    for field in fields(PolicyManifest):
        object.__setattr__(other, field.name, changes.get(field.name, getattr(manifest, field.name)))
    return other


@pytest.mark.parametrize("name", SHARED)
def test_each_fact_that_other_nodes_have_read_must_stay_and_is_named_if_not(manifest, name):
    other = unchecked(manifest, name="next", **{name: OTHER[name]})
    with pytest.raises(ArtifactMismatchError, match=rf"policy 'next' has .*{name}.*'tiny', which runs.*start with"):
        check_exchangeable(manifest, other)


def test_a_refusal_names_the_entry_that_differs_and_both_values(manifest):
    with pytest.raises(ArtifactMismatchError, match=re.escape("kp[1] = 41.0, it is 40.0 in 'tiny'")):
        check_exchangeable(manifest, replace(manifest, kp=OTHER["kp"]))
    with pytest.raises(ArtifactMismatchError, match="2 mode_machine, there are|1 mode_machine, there are 2"):
        check_exchangeable(manifest, replace(manifest, mode_machine=(5,)))


def test_another_network_normaliser_or_sampling_is_welcome(folder):
    current = PolicyManifest.load(folder)
    sampling = replace(current.sampling, passes=9, guidance_scale=0.5)
    shifted = replace(current.state_normalizer, offset=tuple(v + 1.0 for v in current.state_normalizer.offset))
    check_exchangeable(current, replace(current, name="next", sampling=sampling, state_normalizer=shifted))
    assert load_successor(folder, "auto", current).backend_name == "onnx"


def spoil_golden(folder):
    with np.load(folder / "golden.npz") as stored:
        golden = dict(stored)
    golden["clean_actions"] = golden["clean_actions"] + np.float32(1.0)
    save_golden(folder, golden)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda folder: shutil.rmtree(folder), "NOT_FOUND"),
        (lambda folder: (folder / "manifest.json").unlink(), "NOT_FOUND"),
        (lambda folder: (folder / "golden.npz").unlink(), "NOT_FOUND"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"half"), "DAMAGED"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "DAMAGED"),
        (lambda folder: replace(PolicyManifest.load(folder), kd=OTHER["kd"]).save(folder), "MISMATCH"),
        (spoil_golden, "GOLDEN_FAILED"),
    ],
    ids=["no folder", "no manifest", "no vectors", "truncated", "no JSON", "other gains", "other results"],
)
def test_each_refusal_has_its_name(folder, spoil, kind):
    current = PolicyManifest.load(folder)
    spoil(folder)
    with pytest.raises(ArtifactError) as refusal:
        load_successor(folder, "onnx", current)
    assert kind_of(refusal.value, folder) == kind


def test_a_backend_that_is_not_here_is_a_mismatch_with_this_machine(folder):
    with pytest.raises(BeyondMimicError) as refusal:
        load_successor(folder, "tensorflow", PolicyManifest.load(folder))
    assert kind_of(refusal.value, folder) == "MISMATCH"
