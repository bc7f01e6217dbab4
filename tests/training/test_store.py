"""Data sets on disk: what goes in comes out, and nothing damaged comes out unnoticed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_training.store import (
    DatasetWriter,
    describe,
    fields_for,
    load_dataset,
    shard_attributes,
    shard_paths,
)
from beyondmimic_training.unfinished import remove_unfinished


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


# ------------------------------------------------------------------ unfinished shards


def unfinished(path: Path, host: str, process: int) -> Path:
    folder = path / f"shard-{host}-{process}-0a1b2c3d.tmp"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text("{}")
    return folder


@pytest.fixture
def ended_process() -> int:
    """Number of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_shard_that_another_process_is_writing_is_left_alone(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        shard = unfinished(tmp_path, socket.gethostname(), other.pid)
        assert remove_unfinished(tmp_path) == 0
        assert shard.is_dir()
        other.communicate(b"\n")
    assert remove_unfinished(tmp_path) == 1
    assert not shard.exists()


def test_unfinished_shards_of_other_machines_are_left_alone_even_if_their_names_begin_alike(tmp_path, ended_process):
    host = socket.gethostname()
    others = [unfinished(tmp_path, name, ended_process) for name in (f"{host}-2", f"{host}x", f"x-{host}", "elsewhere")]
    mine = unfinished(tmp_path, host, ended_process)
    assert remove_unfinished(tmp_path) == 1
    assert not mine.exists()
    assert all(shard.is_dir() for shard in others)


def test_what_a_killed_writer_left_is_recognised_by_the_name_it_gave(tmp_path: Path, monkeypatch, ended_process):
    monkeypatch.setattr(os, "getpid", lambda: ended_process)
    monkeypatch.setattr(Path, "replace", lambda self, target: self)  # killed just before it renames
    writer = DatasetWriter(tmp_path, describe({}, ""))
    writer.write_shard([episode(5, 0)], {})
    monkeypatch.undo()
    assert remove_unfinished(tmp_path) == 1


# ------------------------------------------------------------------ settings


def test_each_shard_remembers_the_settings_it_was_collected_with(tmp_path: Path):
    settings = [{"expert": "a", "physics": {"action_delay": (0.0, high)}} for high in (0.03, 0.05)]
    for job, collection in enumerate(settings):
        DatasetWriter(tmp_path, describe(collection, f"commit{job}")).write_shard([episode(10, job)], {"job": job})
    data = load_dataset(tmp_path)
    found = {row["seed"][0]: data.metadata["collections"][row["collection"]] for row in data.episodes}
    assert found == {job: json.loads(json.dumps(collection)) for job, collection in enumerate(settings)}
    assert data.metadata["collection"] == found[0]  # the folder's own
    commits = {shard_attributes(s)["tag"]["job"]: shard_attributes(s)["git_commit"] for s in shard_paths(tmp_path)}
    assert commits == {0: "commit0", 1: "commit1"}


def test_shards_written_with_the_same_settings_share_one_entry(folder: Path):
    assert len(load_dataset(folder).metadata["collections"]) == 1


def test_shards_without_settings_of_their_own_have_those_of_their_folder(tmp_path: Path):
    DatasetWriter(tmp_path, describe({"expert": "old"}, "")).write_shard([episode(10, 1)], {})
    file = shard_paths(tmp_path)[0] / "zarr.json"
    header = json.loads(file.read_text())
    for name in ("collection", "collection_id", "git_commit"):
        del header["attributes"][name]
    file.write_text(json.dumps(header))
    assert list(load_dataset(tmp_path).metadata["collections"].values()) == [{"expert": "old"}]
