"""Data sets on disk: a folder with ``dataset.json`` and shards, each a zarr group of recorded frames at 50 Hz.

A shard is written under a temporary name and renamed when complete, so that a stopped collection leaves only whole
shards, and several machines may add to one folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from .unfinished import unfinished_name

SCHEMA_VERSION = 1
METADATA_FILE = "dataset.json"
CHUNK_FRAMES = 8192


@dataclass(frozen=True)
class Field:
    """One array of a data set: T frames of ``width`` numbers."""

    name: str
    width: int
    unit: str
    meaning: str
    dtype: str = "float32"


def fields_for(num_key_points: int = len(g1.KEY_POINTS), num_joints: int = g1.NUM_JOINTS) -> tuple[Field, ...]:
    """The schema."""
    m, j = 3 * num_key_points, num_joints
    return (
        Field("root_pos_w", 3, "m", "pelvis origin, world axes"),
        Field("root_quat_w", 4, "1", "pelvis orientation, wxyz"),
        Field("root_lin_vel_w", 3, "m/s", "velocity of the pelvis origin, world axes"),
        Field("root_ang_vel_w", 3, "rad/s", "angular velocity of the pelvis, world axes"),
        Field("joint_pos", j, "rad", "true joint angles"),
        Field("joint_vel", j, "rad/s", "true joint velocities"),
        Field("key_pos_w", m, "m", "key points, world axes, point-major (x, y, z of point 0, then of point 1, ...)"),
        Field("key_vel_w", m, "m/s", "velocities of the key points, laid out alike"),
        Field("target_clean", j, "rad", "the expert's joint targets for this frame, without noise: the label"),
        Field("target_executed", j, "rad", "the joint targets sent for this frame, with noise, before any delay"),
        Field("command", 3, "m/s, m/s, rad/s", "velocity command (vx, vy, yaw rate) of this frame, character frame"),
        Field("skill", 1, "1", "which expert", "int8"),
        Field("episode_end", 1, "1", "1 at the last frame of an episode", "int8"),
    )


def describe(config: dict[str, Any], git_commit: str) -> dict[str, Any]:
    """Content of ``dataset.json``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "fields": [vars(f) for f in fields_for()],
        "robot": g1.ROBOT_NAME,
        "joint_names": list(g1.JOINT_NAMES),
        "key_points": [p._asdict() for p in g1.KEY_POINTS],
        "control_dt": 0.02,
        "action_meaning": "absolute joint position targets [rad], held for control_dt, in encoder coordinates",
        "simulation": "frame t is the state in which target_clean[t] was decided",
        "collection": config,
        "git_commit": git_commit,
    }


def settings_id(collection: dict[str, Any]) -> str:
    """Short name of a collection's settings: the same settings, the same name."""
    return hashlib.sha256(json.dumps(collection, sort_keys=True).encode()).hexdigest()[:16]


class DatasetWriter:
    """Adds shards to a data set's folder."""

    def __init__(self, path: Path | str, metadata: dict[str, Any]):
        """
        Args:
            path: The folder; made if it is not there.
            metadata: From :func:`describe`. A folder that has one already must agree on the schema; it keeps its
                own ``collection``, while each new shard carries the one given here.

        Raises:
            DatasetError: The folder holds a data set with another schema, robot or joint order.
        """
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._origin = {
            "collection": metadata["collection"],
            "collection_id": settings_id(metadata["collection"]),
            "git_commit": metadata["git_commit"],
        }
        file = self.path / METADATA_FILE
        if file.exists():
            _check_schema(file, _read_metadata(file), metadata)
        else:
            temporary = file.with_name(f".{METADATA_FILE}.{secrets.token_hex(4)}")
            temporary.write_text(json.dumps(metadata, indent=1) + "\n")
            temporary.replace(file)

    def write_shard(self, episodes: Sequence[tuple[dict[str, Array], dict[str, Any]]], tag: dict[str, Any]) -> Path:
        """Write whole episodes as one shard.

        Args:
            episodes: Pairs of frames (one array per field, T frames each) and the episode's table row.
            tag: Kept with the shard, e.g. which job of which seed made it.
        """
        temporary = self.path / unfinished_name()
        final = temporary.with_suffix("")
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        compressor = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
        frames = 0
        for field in fields_for():
            values = np.concatenate([e[0][field.name] for e in episodes]).astype(field.dtype)
            frames = len(values)
            if values.shape != (frames, field.width):
                raise DatasetError(f"field '{field.name}' has shape {values.shape}; (T, {field.width}) was expected")
            if not np.all(np.isfinite(values)):
                raise DatasetError(f"field '{field.name}' holds values that are not finite; nothing was written")
            group.create_array(
                field.name,
                data=values,
                chunks=(min(CHUNK_FRAMES, max(frames, 1)), field.width),
                compressors=compressor,
                config={"write_empty_chunks": True},  # else a chunk of zeros and a lost one would look alike
            )
        rows, start = [], 0
        for arrays, info in episodes:
            length = len(arrays["root_pos_w"])
            rows.append({**info, "start": start, "length": length})
            start += length
        group.attrs.update({"tag": tag, **self._origin, "episodes": rows, "frames": frames, "complete": True})
        temporary.replace(final)
        return final


@dataclass(frozen=True)
class Dataset:
    """A data set in memory: all shards one after the other."""

    metadata: dict[str, Any]
    """Content of ``dataset.json``, and ``collections``: id -> settings of all shards that were read."""
    frames: dict[str, Array]
    """One array per field, shape (T, width), float32 or int8."""
    starts: NDArray[np.int64]
    """First frame of each episode, shape (E,)."""
    lengths: NDArray[np.int64]
    """Frames of each episode, shape (E,)."""
    episodes: tuple[dict[str, Any], ...]
    """One row per episode: expert, seed, fell, delay [s], friction, ..., ``collection`` (id of its settings); ``start``
    counts in this object's arrays."""

    @property
    def num_frames(self) -> int:
        """Frames in all episodes."""
        return int(self.lengths.sum())

    @property
    def hours(self) -> float:
        """Robot time [h]."""
        return self.num_frames * float(self.metadata["control_dt"]) / 3600.0


def load_dataset(path: Path | str, *, max_hours: float | None = None, fields: Sequence[str] | None = None) -> Dataset:
    """Read whole shards into memory.

    Args:
        path: The data set's folder.
        max_hours: Stop after the shard that reaches this much robot time.
        fields: Names of the arrays to read; all by default.

    Raises:
        DatasetError: No data set there, another schema, or a shard that is incomplete or damaged (it is named).
    """
    path = Path(path)
    metadata = _read_metadata(path / METADATA_FILE)
    _check_schema(path / METADATA_FILE, metadata, None)
    wanted = [f for f in fields_for() if fields is None or f.name in fields]
    parts: dict[str, list[Array]] = {f.name: [] for f in wanted}
    rows: list[dict[str, Any]] = []
    collections: dict[str, dict[str, Any]] = {}
    offset = 0
    for shard in shard_paths(path):
        attributes, arrays = _read_shard(shard, wanted)
        for name, values in arrays.items():
            parts[name].append(values)
        collection = attributes.get("collection", metadata["collection"])  # shards of before carry none
        name = settings_id(collection)
        collections[name] = collection
        rows += [
            {**row, "start": row["start"] + offset, "collection": name}
            for row in attributes["episodes"]
            if row["length"] > 0
        ]
        offset += int(attributes["frames"])
        if max_hours is not None and offset * metadata["control_dt"] / 3600.0 >= max_hours:
            break
    if not rows:
        raise DatasetError(f"the data set '{path}' holds no complete episode; run the collection first")
    frames = {name: np.concatenate(values) for name, values in parts.items()}
    starts = np.array([row["start"] for row in rows], dtype=np.int64)
    lengths = np.array([row["length"] for row in rows], dtype=np.int64)
    return Dataset({**metadata, "collections": collections}, frames, starts, lengths, tuple(rows))


def shard_paths(path: Path | str) -> list[Path]:
    """Complete shards in name order; those still being written (``.tmp``) are not listed."""
    return sorted(p for p in Path(path).glob("shard-*") if p.is_dir() and p.suffix != ".tmp")


def shard_attributes(shard: Path) -> dict[str, Any]:
    """The shard's tag, episode table and frame count.

    Raises:
        DatasetError: The shard is damaged or carries no mark of completeness.
    """
    try:
        attributes = dict(zarr.open_group(shard, mode="r").attrs)
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"shard '{shard}' cannot be opened ({error}); delete it and resume the collection"
        ) from error
    if attributes.get("complete") is not True:
        raise DatasetError(f"shard '{shard}' is not marked complete; delete it and resume the collection")
    return attributes


def _read_shard(shard: Path, wanted: Sequence[Field]) -> tuple[dict[str, Any], dict[str, Array]]:
    attributes = shard_attributes(shard)
    group = zarr.open_group(shard, mode="r")
    expected = int(attributes["frames"])
    arrays: dict[str, Array] = {}
    for field in wanted:
        _check_chunk_files(shard, field, expected)
        try:
            values = np.asarray(group[field.name][:])  # pyright: ignore[reportIndexIssue, reportArgumentType]
        except Exception as error:  # zarr raises many kinds for damaged bytes
            raise DatasetError(
                f"array '{field.name}' of shard '{shard}' is damaged ({error}); delete the shard"
            ) from error
        if values.shape != (expected, field.width) or values.dtype != np.dtype(field.dtype):
            raise DatasetError(
                f"array '{field.name}' of shard '{shard}' is {values.dtype} {values.shape}; "
                f"{field.dtype} {(expected, field.width)} was expected; delete the shard"
            )
        arrays[field.name] = values
    return attributes, arrays


def _check_chunk_files(shard: Path, field: Field, frames: int) -> None:
    """zarr reads a missing chunk as zeros without a word, so count the files."""
    expected = math.ceil(frames / CHUNK_FRAMES)
    found = sum(1 for p in (shard / field.name / "c").rglob("*") if p.is_file())
    if found != expected:
        raise DatasetError(
            f"array '{field.name}' of shard '{shard}' has {found} of {expected} chunks; delete the shard"
        )


def _read_metadata(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise DatasetError(f"there is no data set at '{file.parent}': '{file.name}' is missing")
    try:
        return json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise DatasetError(f"'{file}' is not valid JSON ({error})") from error


def _check_schema(file: Path, found: dict[str, Any], expected: dict[str, Any] | None) -> None:
    wanted = expected or describe({}, "")
    for key in ("schema_version", "robot", "joint_names", "control_dt", "fields"):
        if found.get(key) != json.loads(json.dumps(wanted[key])):
            raise DatasetError(f"'{file}' has {key} = {found.get(key)}; this version of the code writes {wanted[key]}")
