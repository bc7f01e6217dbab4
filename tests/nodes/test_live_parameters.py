"""Each parameter of each node: setting it while the node runs has an effect, or is refused with what to do instead."""

import importlib
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.guidance.composer import CostTerm  # noqa: E402
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext  # noqa: E402
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal, ObstacleScene  # noqa: E402
from beyondmimic_diffusion.core.guidance.joystick import JoystickCost  # noqa: E402
from beyondmimic_diffusion.core.guidance.sdf import Capsule  # noqa: E402
from beyondmimic_diffusion.core.parameters import describe  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.state import CharacterFrame  # noqa: E402
from beyondmimic_diffusion.core.tasks import TaskStatus  # noqa: E402
from beyondmimic_diffusion.core.types import RobotState  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import robot_state_to_msg, time_from_msg, time_to_msg  # noqa: E402
from beyondmimic_diffusion.ros.task_actions import (  # noqa: E402
    KeyframeTaskAction,
    StandTaskAction,
    WaypointTaskAction,
    kinematics,
)
from beyondmimic_msgs import action, msg  # noqa: E402
from geometry_msgs.msg import Pose, PoseStamped, TwistStamped  # noqa: E402
from nodes.task_rig import Rig, place, pose  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import JointState, Joy  # noqa: E402

pytestmark = pytest.mark.ros
NODES = {
    "action_executor": ("ActionExecutorNode", "ActionExecutorParameters"),
    "diffusion_planner": ("DiffusionPlannerNode", "DiffusionPlannerConfig"),
    "guidance_task_server": ("GuidanceTaskServerNode", "GuidanceTaskServerConfig"),
    "mujoco_sim": ("MujocoSimNode", "SimConfig"),
    "state_estimator": ("StateEstimatorNode", "StateEstimatorConfig"),
    "supervisor": ("SupervisorNode", "SupervisorParameters"),
}
STEP = 0.04
"""Between two plans [s]."""
KNEE, ELBOW = (g1.JOINT_NAMES.index(f"left_{joint}_joint") for joint in ("knee", "elbow"))


def classes(node):
    module = importlib.import_module(f"beyondmimic_diffusion.nodes.{node}_node")
    return tuple(getattr(module, name) for name in NODES[node])


def live(node):
    """Names of the parameters that may be set while it runs."""
    return {spec.name for spec in describe(classes(node)[1]) if spec.live}


def change(ros, node, name, value):
    """As ``ros2 param set`` does it."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return ros.ask(f"{node}/set_parameters", SetParameters, request).results[0]


def other_value(spec):
    """A value that is allowed and differs from the default."""
    default = spec.default
    if isinstance(default, bool):
        return not default
    if spec.choices:
        return next(choice for choice in spec.choices if choice != default)
    if isinstance(default, str):
        return default + "other"
    if isinstance(default, tuple):
        return list(reversed(default))
    candidates = [spec.lo, spec.hi, default + 1]
    return type(default)(next(value for value in candidates if value is not None and value != default))


@pytest.fixture
def started(ros, policy_folder):
    def start(node, **parameters):
        if "policy" in {spec.name for spec in describe(classes(node)[1])}:
            parameters["policy"] = str(policy_folder) if node != "guidance_task_server" else ""
        made = ros.make(classes(node)[0], parameters)
        if hasattr(made, "autostart"):
            assert made.autostart()
        return made

    return start


@pytest.mark.parametrize("node", NODES)
def test_what_is_read_at_start_is_refused_with_what_to_do_instead_and_stays_as_it_was(ros, started, node):
    made = started(node)
    fixed = [spec for spec in describe(classes(node)[1]) if not spec.live]
    values = {spec.name: other_value(spec) for spec in fixed} | {"use_sim_time": True}
    before = {name: made.get_parameter(name).value for name in values}
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    answer = ros.ask(f"{node}/set_parameters", SetParameters, SetParameters.Request(parameters=parameters))
    for name, result in zip(values, answer.results, strict=True):
        assert not result.successful, name
        assert result.reason == (
            f"{name} is read at start; set it in the parameter file or launch argument and restart"
        )
        assert made.get_parameter(name).value == before[name]


# ---------------------------------------------------------------- action_executor


class Executor:
    """An executor whose robot hangs with a knee and an elbow away from the stand pose."""

    def __init__(self, ros, robot, node):
        self.ros, self.robot, self.node = ros, robot, node
        self.commands = ros.heard(bm.JointCommand, "motor_command", qos.NEWEST)
        self.states = ros.heard(bm.ExecutorState, "executor/state", qos.LATCHED)
        for name in ("left_knee_joint", "left_elbow_joint"):
            robot.position[name] += 0.5
        for publisher in (robot.imu_pub, robot.joint_pub):
            ros.connected(publisher)

    def hold(self):
        """Arm it, and wait until it holds the stand pose."""
        self.ros.until(lambda: self.node._gate.ready, self.robot.sample_now)
        answer = self.ros.ask("executor/arm")
        assert answer.success, answer.message
        self.ros.until(lambda: self.states and self.states[-1].state == bm.ExecutorState.HOLD, self.robot.sample_now)

    def knee_torque(self):
        """Of the newest command [N m]; the joint does not move."""
        command = self.commands[-1]
        return command.kp[KNEE] * (command.position[KNEE] - self.robot.position["left_knee_joint"])


@pytest.fixture
def executor(ros, robot, started):
    patient = {"watchdog.state_hold": 0.5, "watchdog.state_damp": 1.0, "watchdog.pause_after": 1.0}
    quick = {"blend_time": 0.05, "realtime_priority": 0, "arming.max_state_age": 1.0}
    return lambda: Executor(ros, robot, started("action_executor", **patient, **quick))


def test_less_effort_takes_effect_while_armed_and_more_only_when_disarmed(ros, executor):
    rig = executor()
    rig.hold()
    limit = 0.1 * g1.EFFORT_LIMITS[KNEE]
    ros.until(lambda: abs(rig.knee_torque()) > 1.5 * limit, rig.robot.sample_now)
    assert change(ros, "action_executor", "limits.effort_scale", 0.1).successful
    ros.until(lambda: abs(rig.knee_torque()) <= limit * (1.0 + 1e-5), rig.robot.sample_now)  # float32
    refused = change(ros, "action_executor", "limits.effort_scale", 0.5)
    assert not refused.successful
    assert "can only be lowered while the robot is armed" in refused.reason
    assert rig.node.get_parameter("limits.effort_scale").value == 0.1
    assert rig.node.parameters.config.limits.effort_scale == 0.1
    assert ros.ask("executor/disarm").success
    assert change(ros, "action_executor", "limits.effort_scale", 0.5).successful
    rig.hold()
    ros.until(lambda: abs(rig.knee_torque()) > 1.5 * limit, rig.robot.sample_now)


def test_the_rate_of_the_upper_body_takes_effect_at_once_and_cannot_be_raised_while_armed(ros, executor):
    rig, rate = executor(), 0.5
    assert change(ros, "action_executor", "limits.upper_body_rate", rate).successful
    rig.hold()
    assert not change(ros, "action_executor", "limits.upper_body_rate", 20.0).successful
    del rig.commands[:-1]
    ros.until(lambda: len(rig.commands) > 50, rig.robot.sample_now)
    targets = np.array([command.position[ELBOW] for command in rig.commands], dtype=np.float64)
    stamps = np.array([time_from_msg(command.header.stamp) for command in rig.commands])
    assert np.ptp(targets) > 0.0, "it is on its way to the stand pose"
    assert (np.abs(np.diff(targets)) <= rate * np.diff(stamps) + 1e-6).all()  # float32


def test_each_live_parameter_of_the_executor_is_looked_at_above():
    assert live("action_executor") == {"limits.effort_scale", "limits.upper_body_rate"}


# -------------------------------------------------------------- diffusion_planner


def served(planner, goal, yaw=0.0, velocity=(0.0, 0.0), beside=()):
    """Velocity and yaw rate that the cost of a velocity goal is told to reach."""
    context = GoalContext(CharacterFrame(np.zeros((1, 2)), np.array([yaw])), 0.0, STEP, 16)
    terms = planner.batch.steering.terms([goal, *beside], context, np.array([velocity]), STEP)
    (cost,) = [term.cost for term in terms if isinstance(term.cost, JoystickCost)]
    return float(np.ravel(cost.vel_xy_c)[0]), float(np.ravel(cost.yaw_rate)[0])


def correction(planner):
    """How far guidance moves a plan that stands still towards 0.4 m/s, first pass, normalised."""
    batch = planner.batch
    guidance = batch._composer.with_terms([CostTerm("velocity", JoystickCost((0.4, 0.0)))])
    states = batch.state_norm.normalize(np.zeros((1, batch.manifest.horizon, batch.representation.dim)))
    return np.linalg.norm(guidance.correction(states, 1))


def integrated(planner, updates):
    """What the integrator adds to 0.25 m/s for a robot that stands [m/s]."""
    planner.batch.steering.reset()
    for _ in range(updates):
        speed, _ = served(planner, JoystickGoal((0.25, 0.0)))
    return speed - 0.25


def held(planner, error):
    """Yaw rate that brings back the heading of a robot near a wall [rad/s]."""
    wall = ObstacleScene(Capsule((0.0, 1.0, 0.0), (0.0, 1.0, 2.0), 0.1))
    planner.batch.steering.reset()
    served(planner, JoystickGoal((0.4, 0.0)), error, beside=(wall,))
    return served(planner, JoystickGoal((0.4, 0.0)), 0.0, beside=(wall,))[1]


def turned(planner, updates):
    """Yaw rate beyond the 0.5 rad/s asked for, of a robot that does not turn [rad/s]."""
    planner.batch.steering.reset()
    for _ in range(updates):
        _, rate = served(planner, JoystickGoal((0.0, 0.0), 0.5))
    return rate - 0.5


STEERED = {
    "steering.integrator_gain": (0.4, lambda planner: integrated(planner, 1), 0.4 * STEP * 0.25),
    "steering.integrator_limit": (0.05, lambda planner: integrated(planner, 100), 0.05),
    "steering.heading_gain": (2.0, lambda planner: held(planner, 0.05), 2.0 * 0.05),
    "steering.heading_limit": (0.2, lambda planner: held(planner, 0.9), 0.2),
    "steering.turn_gain": (0.5, lambda planner: turned(planner, 1), 0.5 * 0.5 * STEP),
    "steering.turn_lead": (0.3, lambda planner: turned(planner, 100), 0.5 * 0.3),
}
"""Parameter: its new value, what is looked at, what that must be with this table's values."""


def test_the_planners_gains_and_scale_take_effect_with_the_next_plan(ros, started):
    node = started("diffusion_planner")
    planner, worker = node._worker._planner, node._worker
    scale = 3.0 * node._policy.manifest.sampling.guidance_scale
    before = correction(planner)
    assert change(ros, "diffusion_planner", "planner.guidance_scale", scale).successful
    for name, (value, _, _) in STEERED.items():
        assert change(ros, "diffusion_planner", name, value).successful, name
    zero, pose_ = np.zeros(3), np.array(g1.DEFAULT_JOINT_POS)
    state = RobotState(1.0, zero, np.array([1.0, 0.0, 0.0, 0.0]), zero, zero, pose_, np.zeros_like(pose_))
    publisher = ros.probe.create_publisher(bm.RobotState, "robot_state", qos.NEWEST)
    ros.connected(publisher)
    publisher.publish(robot_state_to_msg(state, g1.JOINT_NAMES))
    ros.until(lambda: worker.statistics.plans)
    node.trigger_deactivate()  # its thread has ended: the planner is ours
    assert correction(planner) == pytest.approx(3.0 * before, rel=1e-6)
    for name, (_, effect, expected) in STEERED.items():
        assert effect(planner) == pytest.approx(expected, abs=1e-9), name


def test_each_live_parameter_of_the_planner_is_looked_at_above():
    assert live("diffusion_planner") == {*STEERED, "planner.guidance_scale"}


# ----------------------------------------------------------- guidance_task_server


def commanded(ros, rig, velocity):
    """What the planner is asked for when an operator asks for a velocity."""
    message = TwistStamped()
    message.twist.linear.x, message.twist.linear.y, message.twist.angular.z = velocity
    publisher = rig.publisher(TwistStamped, "cmd_vel", qos.ORDER)
    count = len(rig.goals)
    ros.until(lambda: len(rig.goals) > count and rig.goals[-1].expires.sec, lambda: publisher.publish(message))
    ros.spin(0.2)
    twist = rig.goals[-1].terms[0].velocity.twist
    return twist.linear.x, twist.linear.y, twist.angular.z


@pytest.fixture
def rig(ros):
    made = Rig(ros)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "asked", "which"),
    [("forward", (2.0, 0.0, 0.0), 0), ("backward", (-2.0, 0.0, 0.0), 0), ("lateral", (0.0, 2.0, 0.0), 1),
     ("yaw_rate", (0.0, 0.0, 3.0), 2)],
)  # fmt: skip
def test_a_commands_limits_count_from_the_next_command_on(ros, rig, name, asked, which):
    assert change(ros, "guidance_task_server", f"limits.{name}", 0.125).successful
    assert abs(commanded(ros, rig, asked)[which]) == 0.125


def test_lower_limits_count_for_the_command_in_force_too(ros, started):
    goals = ros.heard(msg.GuidanceGoal, "guidance/active", qos.LATCHED)
    node = started("guidance_task_server", cmd_vel_timeout=5.0)
    forward = lambda: goals[-1].terms[0].velocity.twist.linear.x if goals else None  # noqa: E731
    node._take((0.5, 0.0, 0.0), "cmd_vel")
    ros.until(lambda: forward() == 0.5)
    assert change(ros, "guidance_task_server", "limits.forward", 0.25).successful
    ros.until(lambda: forward() == 0.25)


@pytest.mark.parametrize(
    ("name", "value", "stick", "share"),
    [("slow", 0.25, 1.0, 0.25), ("dead_zone", 0.6, 0.8, 0.5 * (0.8 - 0.6) / (1.0 - 0.6))],
)
def test_a_sticks_feel_changes_at_once_and_the_pad_needs_not_be_let_go_of(ros, rig, name, value, stick, share):
    publisher = rig.publisher(Joy, "joy", qos.SENSOR_INPUT)
    pad = lambda forward, held: Joy(axes=[0.0, forward, *[0.0] * 4], buttons=[0, 0, 0, 0, int(held), 0])  # noqa: E731
    ros.until(lambda: "never pressed" in rig.node._joy.words, lambda: publisher.publish(pad(0.0, False)))
    ros.until(lambda: "held" in rig.node._joy.words, lambda: publisher.publish(pad(0.0, True)))
    assert change(ros, "guidance_task_server", f"joy.{name}", value).successful
    forward = rig.node.parameters.config.limits.forward
    ros.until(
        lambda: rig.goals[-1].terms[0].velocity.twist.linear.x == pytest.approx(share * forward, rel=1e-5),
        lambda: publisher.publish(pad(stick, True)),
    )


@pytest.mark.parametrize("wanted", [True, False])
def test_whether_a_goal_pose_has_a_heading_is_decided_anew_for_each(ros, rig, wanted):
    assert change(ros, "guidance_task_server", "goal_pose_heading", wanted).successful
    publisher = rig.publisher(PoseStamped, "goal_pose", qos.ORDER)
    rig.live(0.3)
    rig.robot.step()
    publisher.publish(pose(3.0, 0.0))
    rig.until(lambda: rig.node._desk.job is not None)
    assert (rig.node._desk.job.task.heading_w is not None) == wanted


def succeeds(rig, kind, goal, at, speed=0.0):
    """Whether a new task is content with a robot there, going sideways at a speed, for three seconds."""
    state = rig.robot.state()
    task = kind().make(goal, rig.node._desk._world, state, state.stamp)
    for k in range(150):
        there, velocity = np.array([*at, state.root_pos_w[2]]), np.array([0.0, speed, 0.0])
        seen = replace(state, stamp=state.stamp + 0.02 * (k + 1), root_pos_w=there, root_lin_vel_w=velocity)
        status = task.update(seen).status
        if status is not TaskStatus.RUNNING:
            return status is TaskStatus.SUCCEEDED
    return False


def wrist(rig, shift):
    """The left wrist where it is, but so far to the side, in half a second."""
    index = next(i for i, point in enumerate(g1.KEY_POINTS) if point.body == "left_wrist_yaw_link")
    point = kinematics().key_points(rig.robot.state())[0][index] + np.array([0.0, shift, 0.0])
    entry = msg.Keyframe(body_names=["left_wrist_yaw_link"], poses=[Pose()])
    entry.header.frame_id, entry.header.stamp = "odom", time_to_msg(rig.now() + 0.5)
    entry.poses[0].position.x, entry.poses[0].position.y, entry.poses[0].position.z = map(float, point)
    return action.ReachKeyframe.Goal(keyframes=[entry])


TOLERANCES = {
    "tasks.waypoint.position_tolerance": (
        1.0,
        lambda rig: succeeds(rig, WaypointTaskAction, place(2.0, 0.0), (1.2, 0.0)),
    ),
    "tasks.waypoint.speed_tolerance": (
        0.5,
        lambda rig: succeeds(rig, WaypointTaskAction, place(2.0, 0.0), (2.0, 0.0), speed=0.3),
    ),
    "tasks.waypoint.heading_tolerance": (
        1.0,
        lambda rig: succeeds(rig, WaypointTaskAction, place(2.0, 0.0, yaw=0.6), (2.0, 0.0)),
    ),
    "tasks.stand.speed_tolerance": (
        0.5,
        lambda rig: succeeds(rig, StandTaskAction, action.Stand.Goal(), (0.0, 0.0), speed=0.3),
    ),
    "tasks.keyframe.position_tolerance": (
        0.5,
        lambda rig: succeeds(rig, KeyframeTaskAction, wrist(rig, 0.3), (0.0, 0.0)),
    ),
}
"""Parameter: its new value, and a task that succeeds with it alone."""


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_tolerance_counts_from_the_next_task_on(ros, rig, name):
    value, content = TOLERANCES[name]
    rig.live(0.3)
    assert not content(rig)
    assert change(ros, "guidance_task_server", name, value).successful
    assert content(rig)


def test_each_live_parameter_of_the_task_server_is_looked_at_above():
    limits = {f"limits.{name}" for name in ("forward", "backward", "lateral", "yaw_rate")}
    assert live("guidance_task_server") == {*limits, *TOLERANCES, "joy.slow", "joy.dead_zone", "goal_pose_heading"}


# ----------------------------------------------------------------------- mujoco_sim


def test_the_floor_and_the_masses_change_between_two_steps(ros, started):
    node = started("mujoco_sim")
    model = node.sim.model
    weight, foot = model.body_mass.sum(), node.sim._feet[0]
    assert change(ros, "mujoco_sim", "payload", 3.0).successful
    ros.until(lambda: model.body_mass.sum() == pytest.approx(weight + 3.0))
    assert change(ros, "mujoco_sim", "mass_scale", 1.5).successful
    ros.until(lambda: model.body_mass.sum() == pytest.approx(1.5 * weight + 3.0))
    assert change(ros, "mujoco_sim", "friction", 0.25).successful
    ros.until(lambda: model.geom_friction[foot, 0] == 0.25)


def test_simulated_time_passes_no_faster_than_it_was_asked_to(ros, started):
    node = started("mujoco_sim")
    assert change(ros, "mujoco_sim", "real_time_factor", 0.1).successful
    ros.spin(0.2)
    simulated, steady = node.sim.stamp, time.monotonic()
    ros.spin(1.0)
    assert node.sim.stamp - simulated < 0.5 * (time.monotonic() - steady)  # before, it was as much as the steady time


def test_sensors_fail_and_the_clock_jumps_when_asked_to(ros, started):
    joints = ros.heard(JointState, "joint_states", qos.NEWEST)
    node = started("mujoco_sim")
    assert change(ros, "mujoco_sim", "sensor_fault", "nan").successful
    ros.until(lambda: joints and np.isnan(joints[-1].position).all())
    before = node.sim.stamp
    assert change(ros, "mujoco_sim", "clock_offset", 100.0).successful
    ros.until(lambda: node.sim.stamp > before + 100.0)


def test_each_live_parameter_of_the_simulator_is_looked_at_above():
    physics = {"friction", "payload", "mass_scale"}
    assert live("mujoco_sim") == {*physics, "real_time_factor", "sensor_fault", "clock_offset"}


@pytest.mark.parametrize("node", ["state_estimator", "supervisor"])
def test_nothing_of_what_watches_and_measures_changes_while_it_runs(node):
    assert live(node) == set()
