"""A policy without a network: it predicts the same clean plan whatever it is shown, so its set-points are known."""

from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.engine import KeyPointFact, NormalizerStats, PolicyManifest, SamplingDefaults
from beyondmimic_diffusion.core.engine.factory import LoadedPolicy
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Sample

HORIZON, ACTION_HORIZON, SETPOINTS = 16, 8, 2


def scripted_policy(set_points, kp=g1.KP, kd=g1.KD) -> LoadedPolicy:
    """Plans ``set_points`` (16, J) [rad] each time; predicts that the robot stays where it is."""
    state_dim, joints = 12 + 6 * len(g1.KEY_POINTS), g1.NUM_JOINTS
    tokens = np.asarray(set_points).reshape(ACTION_HORIZON, SETPOINTS * joints)
    manifest = PolicyManifest(
        name="scripted", robot=g1.ROBOT_NAME, mode_machine=(), joint_names=g1.JOINT_NAMES,
        kp=tuple(map(float, kp)), kd=tuple(map(float, kd)), default_joint_pos=tuple(map(float, g1.DEFAULT_JOINT_POS)),
        action_kind="joint_position", setpoints_per_step=SETPOINTS, step_dt=0.04, history_len=4, horizon=HORIZON,
        action_horizon=ACTION_HORIZON, num_denoising_steps=20, schedule="cosine", state_kind="body_pos",
        key_points=tuple(KeyPointFact(p.name, p.body, p.offset_b, p.radius) for p in g1.KEY_POINTS),
        state_normalizer=_unit(state_dim), action_normalizer=_unit(SETPOINTS * joints), delay_range=(0.0, 0.02),
        sampling=SamplingDefaults(passes=2), onnx_sha256="",
        network={
            "state_dim": state_dim, "action_dim": SETPOINTS * joints, "history_len": 4, "horizon": HORIZON,
            "action_horizon": ACTION_HORIZON, "num_levels": 20, "schedule": "cosine",
        },
    )  # fmt: skip

    def denoiser(sample, conditioning, levels):
        batch = len(sample.states)
        actions = np.broadcast_to(tokens.astype(np.float32), (batch, *tokens.shape))
        return Sample(np.zeros((batch, HORIZON, state_dim), np.float32), actions)

    return LoadedPolicy(manifest, denoiser, "scripted", Path(), 0.0)


def _unit(size: int) -> NormalizerStats:
    """SI units are normalised units."""
    return NormalizerStats((1.0,) * size, (0.0,) * size, (-10.0,) * size, (10.0,) * size)
