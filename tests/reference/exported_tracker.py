"""Trackers as whole_body_tracking exports them, made without it: the dancer behind another interface, and a probe.

The dancer's network is taken from holosoma-inference and rewired: observations and actions come in Isaac Lab's joint
order and in whole_body_tracking's term order, so a reader that mixes up either moves quite differently.
"""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import onnx
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.model import load_model
from onnx import TensorProto, helper, numpy_helper

ORDER = [g1.JOINT_NAMES.index(name) for name in g1.ISAACLAB_JOINT_NAMES]
"""Our place of each joint of the exported file."""
BODIES = ("pelvis", "left_ankle_roll_link", "torso_link")
TERMS = (
    *("command", "motion_anchor_pos_b", "motion_anchor_ori_b", "base_lin_vel", "base_ang_vel"),
    *("joint_pos", "joint_vel", "actions"),
)
WIDTH = 160
_J = g1.NUM_JOINTS
_AT = dict(zip(TERMS, np.cumsum([0, 2 * _J, 3, 6, 3, 3, _J, _J]), strict=True))


def numbers(values) -> str:
    """As whole_body_tracking writes a list: three decimals."""
    return ",".join(f"{value:.3f}" for value in values)


def metadata(kp, kd, scale) -> dict[str, str]:
    """Of a tracker with these gains and scales, given in our joint order."""
    return {
        "run_path": "org/project/run",
        "joint_names": ",".join(g1.ISAACLAB_JOINT_NAMES),
        "joint_stiffness": numbers(np.asarray(kp)[ORDER]),
        "joint_damping": numbers(np.asarray(kd)[ORDER]),
        "default_joint_pos": numbers(g1.DEFAULT_JOINT_POS[ORDER]),
        "command_names": "motion",
        "observation_names": ",".join(TERMS),
        "observation_history_lengths": ",".join("1" for _ in TERMS),
        "action_scale": numbers(np.asarray(scale)[ORDER]),
        "anchor_body_name": "torso_link",
        "body_names": ",".join(BODIES),
    }


def motion_arrays(joint_pos, joint_vel, torso_pos, torso_quat) -> dict[str, np.ndarray]:
    """A motion file's arrays, all bodies in MuJoCo's order, from a motion in our joint order and its torso's pose."""
    model = load_model()
    data = mujoco.MjData(model)
    torso = model.body("torso_link").id
    frames = {"body_pos_w": [], "body_quat_w": []}
    for q, pos, quat in zip(joint_pos, torso_pos, torso_quat, strict=True):
        data.qpos[:7] = (0, 0, 0, 1, 0, 0, 0)
        data.qpos[7:] = q
        mujoco.mj_kinematics(model, data)
        back, root_quat, reach = np.zeros(4), np.zeros(4), np.zeros(3)
        mujoco.mju_negQuat(back, data.xquat[torso])
        mujoco.mju_mulQuat(root_quat, quat, back)
        mujoco.mju_rotVecQuat(reach, data.xpos[torso].copy(), root_quat)
        data.qpos[:3], data.qpos[3:7] = pos - reach, root_quat
        mujoco.mj_kinematics(model, data)
        frames["body_pos_w"].append(data.xpos[1:].copy())
        frames["body_quat_w"].append(data.xquat[1:].copy())
    return {
        "fps": np.array([50]),
        "joint_pos": np.asarray(joint_pos)[:, ORDER],
        "joint_vel": np.asarray(joint_vel)[:, ORDER],
        **{name: np.array(values) for name, values in frames.items()},
    }


def write_dancer(path: Path, source: Path, motion: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """The dancer of holosoma-inference as an exported tracker with the motion inside."""
    network = onnx.utils.Extractor(onnx.load(source)).extract_model(["obs"], ["actions"])
    inner = onnx.compose.add_prefix(network, "inner/")
    order_in = [
        *(_AT["actions"] + ORDER.index(j) for j in range(_J)),
        *(_AT["base_ang_vel"] + i for i in range(3)),
        *(_AT["joint_pos"] + ORDER.index(j) for j in range(_J)),
        *(_AT["joint_vel"] + ORDER.index(j) for j in range(_J)),
        *(_AT["command"] + ORDER.index(j) for j in range(_J)),
        *(_AT["command"] + _J + ORDER.index(j) for j in range(_J)),
        *(_AT["motion_anchor_ori_b"] + i for i in range(6)),
    ]
    nodes = [
        helper.make_node("Gather", ["obs", "order_in"], ["inner/obs"], axis=1),
        *inner.graph.node,
        helper.make_node("Gather", ["inner/actions", "order_out"], ["actions"], axis=1),
    ]
    constants = [
        *inner.graph.initializer,
        numpy_helper.from_array(np.array(order_in), "order_in"),
        numpy_helper.from_array(np.array(ORDER), "order_out"),
    ]
    _write(path, nodes, constants, motion, facts)


def write_probe(path: Path, begin: int, motion: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """A tracker whose 29 actions are 29 numbers of its observation, from ``begin`` on."""
    constants = [numpy_helper.from_array(np.arange(begin, begin + _J), "seen")]
    _write(path, [helper.make_node("Gather", ["obs", "seen"], ["actions"], axis=1)], constants, motion, facts)


def _write(path: Path, nodes, constants, motion, facts) -> None:
    bodies = [load_model().body(name).id - 1 for name in BODIES]
    tables = {
        "joint_pos": motion["joint_pos"],
        "joint_vel": motion["joint_vel"],
        "body_pos_w": motion["body_pos_w"][:, bodies],
        "body_quat_w": motion["body_quat_w"][:, bodies],
    }
    last = len(motion["joint_pos"]) - 1
    constants = [
        *constants,
        numpy_helper.from_array(np.array([1]), "last_axis"),
        numpy_helper.from_array(np.array(last), "last_frame"),
        *(numpy_helper.from_array(values.astype(np.float32), f"table/{name}") for name, values in tables.items()),
    ]
    nodes = [
        *nodes,
        helper.make_node("Cast", ["time_step"], ["time_whole"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["time_whole", "last_axis"], ["time_flat"]),
        helper.make_node("Min", ["time_flat", "last_frame"], ["frame"]),
        *(helper.make_node("Gather", [f"table/{name}", "frame"], [name], axis=0) for name in tables),
    ]
    graph = helper.make_graph(
        nodes,
        "tracker",
        [
            helper.make_tensor_value_info("obs", TensorProto.FLOAT, [1, WIDTH]),
            helper.make_tensor_value_info("time_step", TensorProto.FLOAT, [1, 1]),
        ],
        [
            helper.make_tensor_value_info("actions", TensorProto.FLOAT, [1, _J]),
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *values.shape[1:]])
                for name, values in tables.items()
            ),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    onnx.save(model, path)
