"""Where a tracker's anchor body is: forward kinematics along one chain, for many robots at once."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.errors import ArtifactMismatchError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.model import load_model
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_multiply, quat_rotate
from beyondmimic_diffusion.core.types import Array


class AnchorChain:
    """Pose of one body from the pelvis's pose and the joint angles between them."""

    def __init__(self, body: str):
        """
        Raises:
            ArtifactMismatchError: The robot has no such body.
        """
        model = load_model()
        names = [model.body(i).name for i in range(1, model.nbody)]
        if body not in names:
            raise ArtifactMismatchError(f"the robot has no body '{body}' to anchor a motion to; it has {names}")
        self.body = body
        links = []
        at = model.body(body).id
        while model.body(at).name != g1.ROOT_BODY:
            joint = int(model.body_jntadr[at])  # each body below the pelvis hangs on one hinge through its origin
            links.append((model.body_pos[at], model.body_quat[at], joint - 1, model.jnt_axis[joint]))
            at = int(model.body_parentid[at])
        self._links = links[::-1]

    def pose(self, root_pos_w: Array, root_quat_w: Array, joint_pos: Array) -> tuple[Array, Array]:
        """Position [m] (B, 3) and orientation wxyz (B, 4) of the body.

        Args:
            root_pos_w: Of the pelvis [m], shape (B, 3).
            root_quat_w: Of the pelvis, wxyz, shape (B, 4).
            joint_pos: In our order [rad], shape (B, J).
        """
        pos, quat = np.asarray(root_pos_w, dtype=np.float64), np.asarray(root_quat_w, dtype=np.float64)
        for offset, turn, joint, axis in self._links:
            pos = pos + quat_rotate(quat, np.broadcast_to(offset, pos.shape))
            hinge = quat_from_rotvec(joint_pos[:, joint, None] * axis)
            quat = quat_multiply(quat_multiply(quat, np.broadcast_to(turn, quat.shape)), hinge)
        return pos, quat
