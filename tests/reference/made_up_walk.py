"""A made-up recording: a body that glides where its command says, with joints that swing. NumPy only."""

import numpy as np

DT = 0.02


def about_z(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn (T, 3) by (T,) about z."""
    c, s = np.cos(angle), np.sin(angle)
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([c * x - s * y, s * x + c * y, z], axis=-1)


def commands(length: int, rng: np.random.Generator) -> np.ndarray:
    """Standing and walking in turns of 0.3 to 1 s, (T, 3)."""
    out = np.zeros((length, 3))
    at = 0
    while at < length:
        until = at + int(rng.integers(15, 50))
        if rng.random() < 0.7:
            out[at:until] = rng.uniform([-0.4, -0.4, -0.8], [0.8, 0.4, 0.8])
        at = until
    return out


def frames(length: int, num_joints: int, num_points: int, seed: int, command: np.ndarray | None = None) -> dict:
    """One episode, one array per field of the data sets' schema."""
    rng = np.random.default_rng(seed)
    command = commands(length, rng) if command is None else np.broadcast_to(command, (length, 3))
    time = DT * np.arange(length)[:, None]
    yaw = rng.uniform(-3.0, 3.0) + DT * np.cumsum(command[:, 2])
    velocity = about_z(np.concatenate([command[:, :2], np.zeros((length, 1))], axis=1), yaw)
    position = np.array([*rng.uniform(-5.0, 5.0, 2), 0.75]) + DT * np.cumsum(velocity, axis=0)
    roll = 0.05 * np.sin(6.0 * time[:, 0] + seed)  # q = yaw about z, then roll about the body's x
    quat = np.stack(
        [
            np.cos(yaw / 2) * np.cos(roll / 2),
            np.cos(yaw / 2) * np.sin(roll / 2),
            np.sin(yaw / 2) * np.sin(roll / 2),
            np.sin(yaw / 2) * np.cos(roll / 2),
        ],
        axis=-1,
    )

    def swings(width: int, size: float) -> np.ndarray:
        return size * np.sin(5.0 * time + rng.uniform(0.0, 6.0, width))

    joints = swings(num_joints, 0.3)
    offsets = rng.uniform(-0.4, 0.4, (num_points, 3))
    swing = 0.05 * np.sin(7.0 * time[..., None] + rng.uniform(0.0, 6.0, (num_points, 3)))
    points = [position + about_z(offsets[m] + swing[:, m], yaw) for m in range(num_points)]
    clean = joints + rng.normal(0.0, 0.02, joints.shape)
    end = np.zeros((length, 1), np.int8)
    end[-1] = 1
    single = {
        "root_pos_w": position,
        "root_quat_w": quat,
        "root_lin_vel_w": velocity,
        "root_ang_vel_w": np.concatenate([swings(2, 0.1), command[:, 2:]], axis=1),
        "joint_pos": joints,
        "joint_vel": swings(num_joints, 1.5),
        "key_pos_w": np.concatenate(points, axis=1),
        "key_vel_w": np.tile(velocity, num_points) + swings(3 * num_points, 0.1),
        "target_clean": clean,
        "target_executed": clean + rng.normal(0.0, 0.05, joints.shape),
        "command": command,
    }
    out = {name: values.astype(np.float32) for name, values in single.items()}
    return {**out, "skill": np.zeros((length, 1), np.int8), "episode_end": end}
