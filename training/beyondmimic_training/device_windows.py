"""Windows drawn, cut, mirrored and normalised on the training device: what a GPU needs so as not to wait for the CPU.

The arithmetic of :class:`~.dataset.WindowSource` and :class:`~.dataset.WindowSampler` in torch, over frames that lie in
the device's memory. The host's version is the oracle of its test.
"""

from __future__ import annotations

import numpy as np
import torch
from beyondmimic_diffusion.core.state import Normalizer
from torch import Tensor

from .dataset import Batch, WindowSampler


class DeviceWindows:
    """All frames of a data set in device memory, and batches of windows around some of them."""

    def __init__(self, sampler: WindowSampler, state_norm: Normalizer, action_norm: Normalizer, device: torch.device):
        """
        Args:
            sampler: Whose windows are drawn, with the same shares.
            state_norm: Of state features.
            action_norm: Of action tokens.
            device: Where frames and batches live.
        """
        source, self._device, self._model = sampler.source, device, sampler.source.model
        self._mirror = sampler.config.mirror
        layout = source.representation.layout
        self._rot, self._velocities = layout["root_rot_c"], [layout["root_lin_vel_c"], layout["root_ang_vel_c"]]

        def put(values: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values), dtype=dtype).to(device)

        self._local, self._xy, self._yaw = put(source.local), put(source.frame.xy), put(source.frame.yaw)
        self._clean, self._executed = put(source.clean), put(source.executed)
        members, weights = _one_distribution(sampler)
        self._members, self._cumulative = put(members, torch.int64), put(np.cumsum(weights), torch.float64)
        kind = sampler.kinds(members)
        self._first, self._entering = put(kind == "first", torch.bool), put(kind == "entering", torch.bool)
        self._state_steps = put(source.state_offsets, torch.int64)
        self._history_steps = put(source.history_offsets, torch.int64)
        self._action_steps = put(source.action_offsets, torch.int64)
        mirror = source.mirror
        self._state_index, self._state_sign = put(mirror.state_index, torch.int64), put(mirror.state_sign)
        self._joint_index, self._joint_sign = put(mirror.joint_index, torch.int64), put(mirror.joint_sign)
        self._state_norm = put(state_norm.scale), put(state_norm.offset)
        self._action_norm = put(action_norm.scale), put(action_norm.offset)

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draw a batch; its fields are tensors on the device.

        Args:
            size: Windows B.
            generator: Of the device's random numbers: the same state, the same windows.
        """
        dice = torch.rand(size, dtype=torch.float64, device=self._device, generator=generator)
        place = self._places(dice)
        half = torch.rand(size, device=self._device, generator=generator) < (0.5 if self._mirror else 0.0)
        return self.cut(self._members[place], half & self._first[place], self._entering[place])

    def frames_at(self, dice: Tensor) -> Tensor:
        """Frames that windows are centred on for numbers in 0 .. 1, shape (B,)."""
        return self._members[self._places(dice)]

    def _places(self, dice: Tensor) -> Tensor:
        place = torch.searchsorted(self._cumulative, dice * self._cumulative[-1], right=True)
        return place.clamp(max=len(self._members) - 1)

    def cut(self, index: Tensor, mirrored: Tensor, entering: Tensor) -> Batch:
        """Windows around frames, normalised.

        Args:
            index: Frames of the current step, shape (B,).
            mirrored: Which windows to reflect left to right, shape (B,).
            entering: Windows in which the second skill begins, shape (B,).
        """
        m, batch = self._model, len(index)
        states = self._states(index)
        executed = self._executed[index[:, None] + self._history_steps]
        actions = self._clean[index[:, None] + self._action_steps]
        flip = mirrored[:, None, None]
        states = torch.where(flip, states[..., self._state_index] * self._state_sign, states)
        executed = torch.where(flip, executed[..., self._joint_index] * self._joint_sign, executed)
        actions = torch.where(flip, actions[..., self._joint_index] * self._joint_sign, actions)
        states = (states - self._state_norm[1]) / self._state_norm[0]
        scale, offset = self._action_norm
        executed = (executed.reshape(batch, m.history_len, -1) - offset) / scale
        actions = (actions.reshape(batch, m.action_horizon, -1) - offset) / scale
        n = m.history_len
        history = torch.cat([states[:, :n], executed], dim=-1)
        return Batch(history, states[:, n], states[:, n + 1 :], actions, entering)  # type: ignore[arg-type]

    def _states(self, index: Tensor) -> Tensor:
        """Features (B, N + 1 + H, S) in the character frame of ``index``; as ``StateRepresentation.transform``."""
        steps = index[:, None] + self._state_steps
        features = self._local[steps]
        offset = self._xy[steps] - self._xy[index][:, None]
        now, turn = self._yaw[index][:, None], self._yaw[steps] - self._yaw[index][:, None]
        features[..., :2] = _turned(offset, -now)  # a frame's own position is above its own origin
        for part in self._velocities:
            features[..., part] = _turned(features[..., part], turn)
        features[..., self._rot] = _heading_first(features[..., self._rot], turn)
        return features


def _one_distribution(sampler: WindowSampler) -> tuple[np.ndarray, np.ndarray]:
    """All groups of a sampler as one list of frames with probabilities."""
    members, weights = [], []
    shares = np.array([share for *_, share in sampler.groups.values()])
    for (frames, cumulative, _), share in zip(sampler.groups.values(), shares / shares.sum(), strict=True):
        members.append(frames)
        weights.append(share * np.diff(cumulative, prepend=0.0) / cumulative[-1])
    return np.concatenate(members), np.concatenate(weights)


def _turned(vectors: Tensor, yaw: Tensor) -> Tensor:
    """Vectors (..., D >= 2) turned about z."""
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.cat([torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1), vectors[..., 2:]], dim=-1)


def _heading_first(rotvec: Tensor, yaw: Tensor) -> Tensor:
    """Rotation vector of the rotation ``rotvec`` followed by one about z by ``yaw``, shape (..., 3)."""
    angle = torch.linalg.vector_norm(rotvec, dim=-1)
    w, v = torch.cos(0.5 * angle), 0.5 * torch.sinc(0.5 * angle / torch.pi)[..., None] * rotvec
    c, s = torch.cos(0.5 * yaw), torch.sin(0.5 * yaw)
    qw, qz = c * w - s * v[..., 2], c * v[..., 2] + s * w
    qx, qy = c * v[..., 0] - s * v[..., 1], c * v[..., 1] + s * v[..., 0]
    sign = torch.where(qw < 0.0, -1.0, 1.0)
    vector = torch.stack([qx, qy, qz], dim=-1) * sign[..., None]
    sine = torch.linalg.vector_norm(vector, dim=-1)
    full = 2.0 * torch.atan2(sine, qw * sign)
    factor = torch.where(sine < 1e-6, 2.0, full / sine.clamp(min=1e-12))
    return vector * factor[..., None]
