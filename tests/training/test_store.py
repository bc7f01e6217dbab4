"""Data sets on disk: what goes in comes out, and nothing damaged comes out unnoticed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_training.store import DatasetWriter, describe, fields_for, load_dataset, shard_paths


def episode(length: int, seed: int) -> tuple[dict[str, np.ndarray], dict]:
    rng = np.random.default_rng(seed)
    frames = {f.name: rng.normal(size=(length, f.width)).astype(f.dtype) for f in fields_for()}
    return frames, {"expert": "test", "seed": [seed], "fell": False, "delay": 0.01}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = DatasetWriter(tmp_path / "set", describe({}, "abc"))
    writer.write_shard([episode(30, 1), episode(0, 2), episode(20, 3)], {"job": 0})
    writer.write_shard([episode(10, 4)], {"job": 1})
    return tmp_path / "set"


def test_every_episode_comes_back_bit_for_bit(folder: Path):
    data = load_dataset(folder)
    assert sorted(data.lengths) == [10, 20, 30]
    for start, length, row in zip(data.starts, data.lengths, data.episodes, strict=True):
        expected, _ = episode(int(length), row["seed"][0])
        for name, values in expected.items():
            np.testing.assert_array_equal(data.frames[name][start : start + length], values)


def test_an_episode_of_zeros_is_not_taken_for_a_lost_chunk(tmp_path: Path):
    frames, info = episode(5, 0)
    frames["command"] = np.zeros((5, 3), dtype=np.float32)
    DatasetWriter(tmp_path, describe({}, "")).write_shard([(frames, info)], {})
    np.testing.assert_array_equal(load_dataset(tmp_path).frames["command"], 0.0)


@pytest.mark.parametrize("field", ["joint_pos", "skill"])
def test_a_lost_chunk_is_refused_and_the_shard_named(folder: Path, field: str):
    shard = shard_paths(folder)[0]
    shutil.rmtree(shard / field / "c")
    with pytest.raises(DatasetError, match=shard.name):
        load_dataset(folder)


def test_damaged_bytes_are_refused_and_the_shard_named(folder: Path):
    shard = shard_paths(folder)[1]
    chunk = next(p for p in (shard / "joint_vel" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=shard.name):
        load_dataset(folder)


def test_a_shard_without_its_mark_of_completeness_is_refused(folder: Path):
    shard = shard_paths(folder)[0]
    header = json.loads((shard / "zarr.json").read_text())
    del header["attributes"]["complete"]
    (shard / "zarr.json").write_text(json.dumps(header))
    with pytest.raises(DatasetError, match="complete"):
        load_dataset(folder)


def test_shards_still_being_written_are_passed_over(folder: Path):
    shard = shard_paths(folder)[0]
    shutil.copytree(shard, shard.with_name(shard.name + "x.tmp"))
    assert len(load_dataset(folder).starts) == 3


def test_a_data_set_with_other_joints_is_refused(folder: Path):
    file = folder / "dataset.json"
    metadata = json.loads(file.read_text())
    metadata["joint_names"].reverse()
    file.write_text(json.dumps(metadata))
    with pytest.raises(DatasetError, match="joint_names"):
        load_dataset(folder)


def test_values_that_are_not_finite_never_reach_the_disk(tmp_path: Path):
    frames, info = episode(5, 0)
    frames["joint_pos"][2, 3] = np.nan
    with pytest.raises(DatasetError, match="joint_pos"):
        DatasetWriter(tmp_path, describe({}, "")).write_shard([(frames, info)], {})
    assert shard_paths(tmp_path) == []
