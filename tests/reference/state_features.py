"""Body-Pos features of one state, written out with SciPy's rotations, one vector at a time."""

import numpy as np
from scipy.spatial.transform import Rotation


def heading(quat: np.ndarray) -> float:
    """Angle of the body's x axis in the ground plane [rad]; ``quat`` is wxyz."""
    x_axis = Rotation.from_quat(quat, scalar_first=True).apply([1.0, 0.0, 0.0])
    return float(np.arctan2(x_axis[1], x_axis[0]))


def about_z(angle: float) -> Rotation:
    return Rotation.from_rotvec([0.0, 0.0, angle])


def body_pos_features(root, key_points, frame_xy: np.ndarray, frame_yaw: float) -> np.ndarray:
    """Features in the character frame at ``frame_xy`` with heading ``frame_yaw``.

    World axes: ``root`` = position, quaternion wxyz, linear, angular velocity; ``key_points`` = positions, velocities.
    """
    position, quat, linear, angular = root
    into_frame = about_z(frame_yaw).inv()
    own = about_z(heading(quat)).inv()
    parts = [
        into_frame.apply(position - [frame_xy[0], frame_xy[1], 0.0]),
        (into_frame * Rotation.from_quat(quat, scalar_first=True)).as_rotvec(),
        into_frame.apply(linear),
        into_frame.apply(angular),
    ]
    parts += [own.apply(point - position) for point in key_points[0]]
    parts += [own.apply(velocity - linear) for velocity in key_points[1]]
    return np.concatenate(parts)


def compose_planar(first: tuple[np.ndarray, float], second: tuple[np.ndarray, float]) -> tuple[np.ndarray, float]:
    """Pose of ``second``, given in ``first``, as seen from where ``first`` is given: product of 3x3 matrices."""

    def matrix(pose):
        (x, y), yaw = pose
        c, s = np.cos(yaw), np.sin(yaw)
        return np.array([[c, -s, x], [s, c, y], [0.0, 0.0, 1.0]])

    product = matrix(first) @ matrix(second)
    return product[:2, 2], float(np.arctan2(product[1, 0], product[0, 0]))
