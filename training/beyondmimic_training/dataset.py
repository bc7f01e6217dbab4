"""Windows of history and future, cut from recordings and drawn with the weights that matter in closed loop."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import NamedTuple

import numpy as np
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_diffusion.core.state import (
    BodyPosRepresentation,
    CharacterFrame,
    JointRotRepresentation,
    Mirror,
    Normalizer,
    StateSequence,
    character_frame,
    relative_frame,
)
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .config import ModelConfig, WindowConfig
from .store import Dataset

_MOVING = 0.05
"""A command above this [m/s or rad/s] moves."""
_BINS = np.array([0.1, 0.1, 0.2])
"""Width of the bins over executed forward, lateral [m/s] and turning velocity [rad/s]."""
SECOND_SKILL = 2
"""Skill numbers from here on belong to trackers (``experts.catalog``)."""
_BEGUN = 40
"""Frames after which a second skill counts as begun (0.8 s)."""
_SEEN = 15
"""Frames of it that a window must hold to show that it begins (0.3 s); windows that hold fewer are left out."""
_RECOVERED = 50
"""Frames after which leaving it is over (1 s)."""
_EVENNESS = 0.7
"""1 makes all executed velocities equally likely, 0 leaves them as recorded."""


class Windows(NamedTuple):
    """A batch of windows in SI units."""

    states: Array
    """s[t-N] .. s[t+H] in the character frame of t, shape (B, N + 1 + H, S)."""
    executed: Array
    """Joint targets that were executed in history, shape (B, N, A)."""
    actions: Array
    """Clean labels a[t] .. a[t+Ha-1], shape (B, Ha, A)."""


class Batch(NamedTuple):
    """A batch as the network takes it: normalised float32."""

    history: Array
    """Shape (B, N, S + A)."""
    current: Array
    """Shape (B, S)."""
    states: Array
    """Shape (B, H, S)."""
    actions: Array
    """Shape (B, Ha, A)."""
    entering: NDArray[np.bool_]
    """Windows in which the second skill begins: they need a keyframe (:class:`WindowConfig`), shape (B,)."""


class WindowSource:
    """Recorded frames, and windows around any of them."""

    def __init__(
        self,
        dataset: Dataset,
        representation: BodyPosRepresentation | JointRotRepresentation,
        mirror: Mirror,
        model: ModelConfig,
    ):
        self.model = model
        self.representation = representation
        self.mirror = mirror
        frames = dataset.frames
        count = len(frames["root_pos_w"])
        arrays = {field.name: frames[field.name] for field in fields(StateSequence)}
        for name in ("key_pos_w", "key_vel_w"):
            arrays[name] = arrays[name].reshape(count, -1, 3)
        sequence = StateSequence(**arrays)
        self.local: Array = _in_pieces(representation, sequence)
        self.frame = character_frame(sequence)
        self.clean: Array = frames["target_clean"]
        self.executed: Array = frames["target_executed"]
        self.command: Array = frames["command"]
        self.second: NDArray[np.bool_] = frames["skill"][:, 0] >= SECOND_SKILL
        """Frames in which a tracker drives."""
        self.since: NDArray[np.int64] = _since_change(self.second, dataset.starts)
        """Frames since the driving skill changed, or since the episode began."""
        self.first_frame: NDArray[np.int64] = np.repeat(dataset.starts, dataset.lengths)
        """First frame of each frame's episode."""
        stride = model.setpoints_per_step
        self.state_offsets: NDArray[np.int64] = stride * np.arange(-model.history_len, model.horizon + 1)
        self.history_offsets: NDArray[np.int64] = np.arange(-stride * model.history_len, 0)
        self.action_offsets: NDArray[np.int64] = np.arange(stride * model.action_horizon)
        self.first, self.last = self._usable(dataset.starts, dataset.lengths)
        self.delay: Array = np.repeat([float(row.get("delay", 0.0)) for row in dataset.episodes], dataset.lengths)
        """Action delay of each frame's episode [s]."""

    def _usable(self, start: NDArray[np.integer], length: NDArray[np.integer]) -> tuple[NDArray, NDArray]:
        before = -int(self.state_offsets[0])
        after = max(int(self.state_offsets[-1]), int(self.action_offsets[-1]))
        keep = length > before + after
        if not keep.any():
            raise DatasetError(
                f"no episode of the data set is longer than one window of {before + after + 1} frames; "
                f"the longest has {length.max(initial=0)}"
            )
        return start[keep] + before, start[keep] + length[keep] - after

    def centres(self, holdout: float, validation: bool) -> NDArray[np.integer]:
        """Frames a window may be centred on; ``holdout`` is the share of episodes kept for validation."""
        count = len(self.first)
        split = count - max(1, round(holdout * count)) if count > 1 else count
        chosen = slice(split, count) if validation and count > 1 else slice(0, split)
        ranges = [np.arange(a, b) for a, b in zip(self.first[chosen], self.last[chosen], strict=True)]
        return np.concatenate(ranges)

    def windows(self, index: NDArray[np.integer], mirrored: NDArray[np.bool_]) -> Windows:
        """Cut windows.

        Args:
            index: Frames of the current step, shape (B,).
            mirrored: Which windows to reflect left to right, shape (B,).
        """
        steps = index[:, None] + self.state_offsets
        now = CharacterFrame(self.frame.xy[index][:, None], self.frame.yaw[index][:, None])
        pose = relative_frame(CharacterFrame(self.frame.xy[steps], self.frame.yaw[steps]), now)
        states = self.representation.transform(self.local[steps], pose)
        executed = self.executed[index[:, None] + self.history_offsets]
        actions = self.clean[index[:, None] + self.action_offsets]
        states = np.where(mirrored[:, None, None], self.mirror.states(states), states)
        executed = np.where(mirrored[:, None, None], self.mirror.joints(executed), executed)
        actions = np.where(mirrored[:, None, None], self.mirror.joints(actions), actions)
        batch, model = len(index), self.model
        return Windows(
            states, executed.reshape(batch, model.history_len, -1), actions.reshape(batch, model.action_horizon, -1)
        )

    def fit_normalizers(self, kind: str, count: int, rng: np.random.Generator) -> tuple[Normalizer, Normalizer]:
        """Statistics over ``count`` random windows and their mirror images: of states, and of actions."""
        index = rng.choice(self.centres(0.0, validation=False), count)
        both = [self.windows(index, np.full(count, flag)) for flag in (False, True)]
        states = np.concatenate([w.states.reshape(-1, self.representation.dim) for w in both])
        joints = self.clean.shape[1]
        targets = [a.reshape(-1, joints) for w in both for a in (w.executed, w.actions)]
        joint = Normalizer.fit(np.concatenate(targets), kind)
        repeat = self.model.setpoints_per_step
        tiled = (np.tile(v, repeat) for v in (joint.scale, joint.offset, joint.low, joint.high))
        return Normalizer.fit(states, kind), Normalizer(*tiled)


def _since_change(flag: NDArray[np.bool_], starts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Frames since ``flag`` changed or an episode started, shape (T,)."""
    index = np.arange(len(flag))
    fresh = np.zeros(len(flag), dtype=bool)
    fresh[starts] = True
    fresh[1:] |= flag[1:] != flag[:-1]
    return index - np.maximum.accumulate(np.where(fresh, index, 0))


def _in_pieces(
    representation: BodyPosRepresentation | JointRotRepresentation, sequence: StateSequence, size: int = 100_000
) -> Array:
    """Local features of all frames, computed in pieces to bound memory."""
    count = len(sequence.root_pos_w)
    out = np.empty((count, representation.dim), dtype=np.float32)

    def encode(start: int) -> None:
        piece = slice(start, min(start + size, count))
        out[piece] = representation.encode_local(sequence[piece])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy releases the interpreter in large operations
        list(pool.map(encode, range(0, count, size)))
    return out


class WindowSampler:
    """Draws windows with the shares of :class:`WindowConfig`."""

    def __init__(self, source: WindowSource, config: WindowConfig, centres: NDArray[np.integer]):
        self.source = source
        self.config = config
        centres = centres[source.delay[centres] <= config.max_delay]
        if not len(centres):
            raise DatasetError(f"no episode has an action delay of at most max_delay = {config.max_delay} s")
        reach = config.onset_steps * source.model.setpoints_per_step
        last = len(source.command) - 1
        before = source.command[np.maximum(centres - reach, 0)]
        after = source.command[np.minimum(centres + reach, last)]
        was, will = (np.abs(c).max(axis=1) > _MOVING for c in (before, after))
        changed = np.abs(after - before).max(axis=1) > 0.1
        kind = self.kinds(centres)
        seconds = {"second_skill": config.second_skill, "entering": config.entering, "leaving": config.leaving}
        skills = {name: share for name, share in seconds.items() if (kind == name).any() and share > 0.0}
        first = 1.0 - sum(skills.values())
        alone = kind == "first"
        groups = {
            "start": (~was & will, config.start),
            "stop": (was & ~will, config.stop),
            "change": (was & will & changed, config.change),
            "standing": (~was & ~will, config.standing),
        }
        self.groups: dict[str, tuple[NDArray[np.integer], Array, float]] = {}
        rest = first
        for name, (chosen, share) in groups.items():
            members = centres[chosen & alone]
            if len(members):
                self.groups[name] = (members, np.arange(1, len(members) + 1) / len(members), first * share)
                rest -= first * share
        members = centres[was & will & ~changed & alone]
        if len(members):
            weights = self._velocity_weights(members)
            self.groups["moving"] = (members, np.cumsum(weights) / weights.sum(), rest)
        for name, share in skills.items():
            members = centres[kind == name]
            self.groups[name] = (members, np.arange(1, len(members) + 1) / len(members), share)
        shares = np.array([share for *_, share in self.groups.values()])
        self._shares = shares / shares.sum()

    def kinds(self, centres: NDArray[np.integer]) -> NDArray[np.str_]:
        """``first``, ``second_skill``, ``entering``, ``leaving`` or ``unclear`` for each window, shape (n,)."""
        source = self.source
        end = centres + source.model.horizon * source.model.setpoints_per_step
        now, then = source.second[centres], source.second[end]
        since = source.since[centres]
        kind = np.where(now, "second_skill", "first").astype("<U12")
        left = ~now & (since < _RECOVERED) & (centres - since > source.first_frame[centres])
        kind[(now & ~then) | left] = "leaving"
        kind[(~now & then) | (now & then & (since < _BEGUN))] = "entering"
        kind[~now & then & (source.since[end] < _SEEN)] = "unclear"
        return kind

    def _velocity_weights(self, centres: NDArray[np.integer]) -> Array:
        """Weights that even out the velocities executed over the horizon."""
        layout = self.source.representation.layout
        linear, angular = layout["root_lin_vel_c"], layout["root_ang_vel_c"]
        columns = [linear.start, linear.start + 1, angular.stop - 1]
        velocity = self.source.local[:, columns]
        total = np.concatenate([np.zeros((1, 3)), np.cumsum(velocity, axis=0, dtype=np.float64)])
        ahead = self.source.model.horizon * self.source.model.setpoints_per_step
        mean = (total[np.minimum(centres + ahead, len(velocity))] - total[centres]) / ahead
        bins = np.round(mean / _BINS).astype(np.int64)
        _, which, count = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
        return np.maximum(count[which.ravel()], 50).astype(np.float64) ** -_EVENNESS

    def draw(self, batch: int, rng: np.random.Generator) -> NDArray[np.integer]:
        """Frames to centre windows on, shape (batch,)."""
        kinds = rng.choice(len(self._shares), batch, p=self._shares)
        dice = rng.random(batch)
        out = np.empty(batch, dtype=np.int64)
        for i, (members, cumulative, _) in enumerate(self.groups.values()):
            mask = kinds == i
            position = np.searchsorted(cumulative, dice[mask], side="right")
            out[mask] = members[np.minimum(position, len(members) - 1)]
        return out

    def batch(self, size: int, rng: np.random.Generator, state_norm: Normalizer, action_norm: Normalizer) -> Batch:
        """Draw, cut, mirror and normalise."""
        index = self.draw(size, rng)
        kind = self.kinds(index)
        # A mirrored walk is a walk; a mirrored dance is another dance, which nobody asked for.
        mirrored = (rng.random(size) < (0.5 if self.config.mirror else 0.0)) & (kind == "first")
        windows = self.source.windows(index, mirrored)
        return normalized(windows, self.source.model, state_norm, action_norm, kind == "entering")


def normalized(
    windows: Windows,
    model: ModelConfig,
    state_norm: Normalizer,
    action_norm: Normalizer,
    entering: NDArray[np.bool_] | None = None,
) -> Batch:
    """Windows as the network takes them."""
    states = state_norm.normalize(windows.states)
    executed = action_norm.normalize(windows.executed)
    n = model.history_len
    return Batch(
        _single(np.concatenate([states[:, :n], executed], axis=-1)),
        _single(states[:, n]),
        _single(states[:, n + 1 :]),
        _single(action_norm.normalize(windows.actions)),
        np.zeros(len(windows.states), dtype=bool) if entering is None else entering,
    )


def _single(values: Array) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)
