"""A policy's clips are found by name, and those of another robot are refused before anything moves."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError, GoalError
from beyondmimic_diffusion.core.guidance.clip_library import ClipLibrary
from beyondmimic_diffusion.core.robot import g1

from tests.reference.still_clip import still_clip


def load(folder):
    return ClipLibrary.load(folder, g1.JOINT_NAMES, g1.KEY_POINT_NAMES)


def test_clips_are_known_by_the_names_of_their_files_and_come_back_as_they_were_saved(tmp_path):
    for name, lifted in (("wave", 0.1), ("bow", 0.2)):
        still_clip(lifted=lifted).save(tmp_path / "clips" / f"{name}.npz")
    library = load(tmp_path)
    assert library.names == ("bow", "wave")
    np.testing.assert_allclose(
        library.named("bow").states.key_pos_w, still_clip(lifted=0.2).states.key_pos_w, atol=1e-6
    )


def test_an_unknown_name_is_refused_and_the_known_ones_are_told(tmp_path):
    still_clip().save(tmp_path / "clips" / "wave.npz")
    with pytest.raises(GoalError, match=r"no clip '\.\./wave'; known are wave"):
        load(tmp_path).named("../wave")


def test_a_policy_without_clips_has_none(tmp_path):
    assert load(tmp_path).names == ()
    with pytest.raises(GoalError, match="comes with none"):
        load(tmp_path).named("wave")


@pytest.mark.parametrize(
    "change",
    [{"joint_names": g1.JOINT_NAMES[::-1]}, {"key_point_names": g1.KEY_POINT_NAMES[1:]}],
    ids=["joints in another order", "a key point too few"],
)
def test_a_clip_of_another_robot_is_refused(tmp_path, change):
    replace(still_clip(), **change).save(tmp_path / "clips" / "wave.npz")
    with pytest.raises(ArtifactError, match="'wave'"):
        load(tmp_path)


def test_a_damaged_file_is_refused_by_its_path(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "wave.npz").write_bytes(b"not a clip")
    with pytest.raises(ArtifactError, match=r"wave\.npz.*record it again"):
        load(tmp_path)
