"""Where the robot will be when a slow planner's plan can take over, by the policy's own prediction.

Training commits at most two whole action tokens. A plan whose latency is longer is therefore not made for the moment of
the observation but for a later one: the actions that are on their way are given to the network as facts, and the states
that it predicts for them become the plan's history::

    observation                plan.stamp              takes over
    |---- promised: foreseen ----|---- promised: facts ----|---- own set-points ...
    t                            t + shift                 t + latency

So each call of the network stays within what it was trained on, and a plan covers the time from ``t + shift`` on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .diffusion.level_path import LevelPath
from .diffusion.sampler import Sampler, draw_noise
from .engine.manifest import PolicyManifest
from .rotations import yaw_of
from .state import CharacterFrame, StateRepresentation, relative_frame
from .state.normalizer import Normalizer
from .types import Array, Conditioning

LONGEST_COMMITTED = 2
"""Whole action tokens that training commits at most."""
_PASSES = 1
"""Network calls per look ahead: with its actions given as facts there is little left to decide."""


@dataclass(frozen=True)
class Outlook:
    """What plans of B robots are conditioned on, at one moment."""

    features: Array
    """History and current state in SI units, in the character frame of the last one, shape (B, N + 1, S)."""
    frame: CharacterFrame
    """That frame in the world, shape (B,)."""
    executed: Array
    """Joint targets in force over the history, shape (B, N * setpoints_per_step, J)."""
    promised: Array
    """Targets that will be played from that moment on whatever is planned, whole tokens, shape (B, C, J)."""
    steps: int = 0
    """Policy steps that the moment lies after the observation."""


class Foresight:
    """Moves an :class:`Outlook` ahead until no more is promised than training commits."""

    def __init__(
        self,
        manifest: PolicyManifest,
        representation: StateRepresentation,
        state_norm: Normalizer,
        action_norm: Normalizer,
        sampler: Sampler,
    ):
        self._manifest, self._representation, self._sampler = manifest, representation, sampler
        self._state_norm, self._action_norm = state_norm, action_norm

    def look_ahead(self, outlook: Outlook, seeds: list[list[int]]) -> Outlook:
        """The outlook at the first moment from which at most ``LONGEST_COMMITTED`` tokens are promised.

        Args:
            outlook: At the observation.
            seeds: Of each robot's noise.
        """
        per_step = self._manifest.setpoints_per_step
        while (tokens := outlook.promised.shape[1] // per_step) > LONGEST_COMMITTED:
            outlook = self._step(outlook, min(tokens - LONGEST_COMMITTED, LONGEST_COMMITTED), seeds)
        return outlook

    def conditioning(self, outlook: Outlook) -> Conditioning:
        """As the network wants it."""
        m = self._manifest
        rows = len(outlook.features)
        states = self._state_norm.clamp(self._state_norm.normalize(outlook.features)).astype(np.float32)
        actions = self._action_norm.normalize(outlook.executed.reshape(rows, m.history_len, m.action_dim))
        return Conditioning(np.concatenate([states[:, :-1], actions.astype(np.float32)], axis=-1), states[:, -1])

    def committed(self, outlook: Outlook) -> Array | None:
        """Normalised action tokens that are facts, shape (B, C, A); None without."""
        m = self._manifest
        rows, tokens = len(outlook.promised), outlook.promised.shape[1] // m.setpoints_per_step
        if not tokens:
            return None
        targets = outlook.promised[:, : tokens * m.setpoints_per_step]
        return self._action_norm.normalize(targets.reshape(rows, tokens, m.action_dim)).astype(np.float32)

    def _step(self, outlook: Outlook, tokens: int, seeds: list[list[int]]) -> Outlook:
        """Ahead by so many tokens, whose actions are promised."""
        m = self._manifest
        committed = self.committed(outlook)
        assert committed is not None
        generators = [np.random.default_rng([*seed, outlook.steps]) for seed in seeds]
        result = self._sampler.sample(
            self.conditioning(outlook),
            draw_noise(generators, m.horizon, m.state_dim, m.action_horizon, m.action_dim),
            LevelPath.from_scratch(m.num_denoising_steps, m.horizon, m.action_horizon, _PASSES),
            committed=committed[:, :LONGEST_COMMITTED],
            generators=generators,
        )
        foreseen = self._state_norm.to_si(result.clean.states[:, :tokens]).astype(np.float64)
        features = np.concatenate([outlook.features, foreseen], axis=1)[:, tokens:]
        pos, quat, _, _ = self._representation.decode_root(features[:, -1], outlook.frame)
        frame = CharacterFrame(pos[..., :2], yaw_of(quat))
        pose = relative_frame(outlook.frame, frame)
        points = tokens * m.setpoints_per_step
        return replace(
            outlook,
            features=self._representation.transform(features, CharacterFrame(pose.xy[:, None], pose.yaw[:, None])),
            frame=frame,
            executed=np.concatenate([outlook.executed, outlook.promised[:, :points]], axis=1)[:, points:],
            promised=outlook.promised[:, points:],
            steps=outlook.steps + tokens,
        )
