"""The dancers of the pip package ``holosoma-inference``: the files carry gains and motion, this module the rest."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.velocity_walker import pretrained_path

from .motion import ReferenceMotion, read_table
from .onnx_policy import OnnxNetwork, holosoma_gains
from .tracker import TrackerExpert
from .tracker_facts import TermFact, TrackerFacts

_TERMS = ("actions", "base_ang_vel", "joint_pos", "joint_vel", "command", "motion_anchor_ori_b")
"""In the alphabetical order of their names upstream: actions, base_ang_vel, dof_pos, dof_vel, motion_command,
motion_ref_ori_b."""
_MOTION = ("joint_pos", "joint_vel", "ref_pos_xyz", "ref_quat_xyzw")


def holosoma_tracker(name: str, file: str, skill_id: int, puts_out_radians: bool) -> TrackerExpert:
    """Open one.

    Args:
        file: Inside the package.
        puts_out_radians: Its actions are radians; else each unit is BeyondMimic's 0.25 effort / kp.
    """
    path = pretrained_path(file)
    policy = OnnxNetwork(path, outputs=("actions",))
    kp, kd = holosoma_gains(policy)
    facts = TrackerFacts(
        order=np.arange(g1.NUM_JOINTS),
        kp=kp,
        kd=kd,
        action_scale=np.ones(g1.NUM_JOINTS) if puts_out_radians else 0.25 * g1.EFFORT_LIMITS / kp,
        terms=tuple(TermFact(term, np.array(1.0)) for term in _TERMS),
        anchor_body="torso_link",
        body_names=(),
    )
    joint_pos, joint_vel, anchor_pos, anchor_xyzw = read_table(OnnxNetwork(path, outputs=_MOTION), _MOTION)
    motion = ReferenceMotion(joint_pos, joint_vel, np.roll(anchor_xyzw, 1, axis=1), anchor_pos)
    return TrackerExpert(name, skill_id, policy, facts, motion)
