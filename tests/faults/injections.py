"""How faults are brought about, and taken back."""

from __future__ import annotations

import copy
import os
import subprocess
import time
from collections.abc import Callable

from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.conversions import time_from_msg, time_to_msg
from beyondmimic_msgs.msg import ActionPlan, JointCommand, RobotState
from beyondmimic_msgs.srv import LoadEngine
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from .rig import Rig, RigError

Injection = Callable[[Rig], object]
_TIMES = 10
"""How often a forged message is sent."""


def send(node: str, number: int) -> Injection:
    """A signal to a process."""
    return lambda rig: rig.signal(node, number)


def restart(node: str) -> Injection:
    """Start a killed process again."""
    return lambda rig: rig.restart(node)


def parameter(node: str, name: str, value: object) -> Injection:
    """Set a parameter."""
    return lambda rig: rig.set_parameter(node, name, value)


def sensors(fault: str) -> Injection:
    """What is wrong with the simulated sensors."""
    return parameter("mujoco_sim", "sensor_fault", fault)


def forged_plan(change: Callable[[ActionPlan], None]) -> Injection:
    """Copies of the newest plan, each with the next id and something wrong."""

    def inject(rig: Rig) -> None:
        for _ in range(_TIMES):
            plan = copy.deepcopy(rig.ears.plan)
            assert plan is not None
            plan.plan_id += 1
            change(plan)
            rig.plan_pub.publish(plan)
            time.sleep(0.02)

    return inject


def shifted(seconds: float) -> Callable[[ActionPlan], None]:
    """All of its stamps are off."""

    def change(plan: ActionPlan) -> None:
        plan.header.stamp = time_to_msg(time_from_msg(plan.header.stamp) + seconds)
        plan.observation_stamp = time_to_msg(time_from_msg(plan.observation_stamp) + seconds)
        plan.valid_until = time_to_msg(time_from_msg(plan.valid_until) + seconds)

    return change


def with_nan(plan: ActionPlan) -> None:
    """A target is no number."""
    plan.position[7] = float("nan")


def of_another_session(plan: ActionPlan) -> None:
    """From a planner that was replaced long ago, by its session."""
    plan.session_id = (plan.session_id + 12345) % 2**32
    plan.plan_id = 1_000_000


def repeated(plan: ActionPlan) -> None:
    """Its id does not rise."""
    plan.plan_id = max(0, plan.plan_id - 50)


def of_other_joints(plan: ActionPlan) -> None:
    """For another robot."""
    plan.joint_names = [f"{name}_of_another" for name in plan.joint_names]


def publisher_of(name: str, message_type: type, topic: str, profile: QoSProfile) -> Injection:
    """Have a publisher ready that the stack listens to, so that nothing but the fault itself is timed."""

    def prepare(rig: Rig) -> None:
        if name not in rig.tools:
            rig.tools[name] = rig.node.create_publisher(message_type, topic, profile)
            rig.until(lambda: rig.tools[name].get_subscription_count() > 0, 10.0, f"{topic}: somebody listens")
            time.sleep(0.3)

    return prepare


state_publisher = publisher_of("states", RobotState, "robot_state", qos.NEWEST)
e_stop_publisher = publisher_of("e_stop", Bool, "e_stop_request", qos.ORDER)


def count_states(rig: Rig) -> None:
    """Remember how many states the planner has dropped so far."""
    state_publisher(rig)
    rig.tools["dropped_states"] = rig.ears.dropped_states


def forged_state(rig: Rig) -> None:
    """Robot states with NaN between the estimator's own."""
    for _ in range(_TIMES):
        state = copy.deepcopy(rig.ears.state)
        assert state is not None
        state.position[7] = float("nan")
        rig.tools["states"].publish(state)
        time.sleep(0.02)


def no_states(rig: Rig) -> None:
    """Leave the topic."""
    rig.node.destroy_publisher(rig.tools.pop("states"))


def e_stop_topic(rig: Rig) -> None:
    """Somebody asks for an emergency stop by topic."""
    rig.tools["e_stop"].publish(Bool(data=True))


def e_stop_client(rig: Rig) -> None:
    """Have a client ready."""
    if "e_stop_client" not in rig.tools:
        rig.tools["e_stop_client"] = rig.node.create_client(Trigger, "e_stop_trigger")
    rig.until(rig.tools["e_stop_client"].service_is_ready, 10.0, "e_stop_trigger")


def e_stop_service(rig: Rig) -> None:
    """Call the service, without waiting for its answer."""
    rig.tools["e_stop_client"].call_async(Trigger.Request())


def nan_command(rig: Rig) -> None:
    """The operator's command is no number for a moment."""
    velocity = rig.operator.velocity
    rig.operator.velocity = (float("nan"), 0.0, 0.0)
    time.sleep(0.2)
    rig.operator.velocity = velocity


def by_joystick(rig: Rig) -> None:
    """The operator takes the joystick in mid-walk."""
    rig.operator.use_joystick(True)
    rig.for_sim(1.5)
    if not rig.ears.up or rig.ears.speed() < 0.25:
        raise RigError(f"by joystick it walks at {rig.ears.speed():.2f} m/s only")


def silence(rig: Rig) -> None:
    """The operator's commands stop in the middle of a walk."""
    rig.operator.velocity = None


def no_joystick(rig: Rig) -> None:
    """Back to ``cmd_vel``."""
    rig.operator.use_joystick(False)


def second_writer(rig: Rig) -> None:
    """Another node opens the motor topic."""
    rig.tools["writer"] = rig.node.create_publisher(JointCommand, "motor_command", qos.NEWEST)


def remove_writer(rig: Rig) -> None:
    """Take it away again, and wait until that is known."""
    rig.node.destroy_publisher(rig.tools.pop("writer"))
    time.sleep(1.0)


def pause(rig: Rig) -> None:
    """Simulated time stands still for two seconds."""
    rig.pause(True)
    time.sleep(2.0)
    rig.pause(False)


def clock_jump(step: float) -> Injection:
    """Simulated time is set by ``step`` [s]."""

    def inject(rig: Rig) -> None:
        rig.clock_offset += step
        rig.set_parameter("mujoco_sim", "clock_offset", rig.clock_offset)

    return inject


def hogs(rig: Rig) -> None:
    """Twice as many busy processes as there are cores."""
    for _ in range(2 * (os.cpu_count() or 1)):
        rig.helper("-c", "while True: pass")


def recorder(rig: Rig) -> None:
    """A recorder that waits, started before the walk: a Python that starts costs a core for seconds."""
    process = rig.helper("-m", "tests.faults.full_disk", str(rig.folder / "full.mcap"), stdin=subprocess.PIPE)
    rig.tools["recorder"] = process
    if "ready\n" not in process.stdout:  # reads up to it; the middleware may have something to say before
        raise RigError("the recorder did not start")
    rig.walk()


def record_on_a_full_disk(rig: Rig) -> None:
    """It records, and may write little more than the beginning of its file."""
    stdin = rig.tools["recorder"].stdin
    stdin.write("record\n")
    stdin.flush()


def swap_policy(rig: Rig) -> None:
    """The planner loads its policy anew, as another one would be."""
    answer = rig.ask("planner/load_engine", LoadEngine, LoadEngine.Request(path=rig.policy), patience=60.0)
    if not answer.success:
        raise RigError(f"planner/load_engine: {answer.error_msg}")


def stop_terminal(rig: Rig) -> None:
    """Nobody reads what the nodes write, and they have something to say."""
    rig.terminal.stop(rig.processes.values())
    forged_plan(with_nan)(rig)


def terminal_goes_on(rig: Rig) -> None:
    """Their lines are read again."""
    rig.terminal.go_on()
