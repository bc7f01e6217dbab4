"""The faults: how each is injected, what must follow, by when, and how it is taken back."""

from __future__ import annotations

import signal

from .fault import Fault
from .injections import (
    by_joystick,
    clock_jump,
    count_states,
    e_stop_client,
    e_stop_publisher,
    e_stop_service,
    e_stop_topic,
    forged_plan,
    forged_state,
    hogs,
    nan_command,
    no_joystick,
    no_states,
    of_another_session,
    of_other_joints,
    pause,
    record_on_a_full_disk,
    recorder,
    remove_writer,
    repeated,
    restart,
    second_writer,
    send,
    sensors,
    shifted,
    silence,
    stop_terminal,
    swap_policy,
    terminal_goes_on,
    with_nan,
)
from .reactions import (
    damped_by_supervisor,
    first_damping,
    frozen_and_back,
    goes_on,
    plans_refused,
    reaches,
    recorder_gives_up,
    refuses,
    says,
    stands,
    states_dropped,
    steps_after_last_state,
    steps_then_walks,
    steps_to_a_stand,
    survives,
)
from .rig import Rig

PLAN_LOSS = 0.25
"""A plan takes over up to 60 ms after its observation, the next is due 40 ms later, coasting ends 100 ms after that,
and the fault comes up to 40 ms before the plan that it prevents [s]."""
STATE_LOSS = 0.15
"""``watchdog.state_damp`` is 0.1 s; the report comes with the tick [s]."""
_REFUSED = "refused, counted; walks on"
_KEPT = "plans dropped; kept on its feet; walks on with new ones"
_STEPS = "coasts, then steps to a stand"
_SURVIVES = "walks on, or steps to a stand, or DAMPING; commands go on"
_E_STOP_BUTTON = 1
"""Of the joystick; the executor's default."""


CATALOGUE: tuple[Fault, ...] = (
    Fault("planner_killed", "planner process killed", _STEPS, PLAN_LOSS, "sim",
          send("diffusion_planner", signal.SIGKILL), steps_to_a_stand, restart("diffusion_planner")),
    Fault("planner_frozen", "planner process frozen", _STEPS, PLAN_LOSS, "sim",
          send("diffusion_planner", signal.SIGSTOP), steps_to_a_stand, send("diffusion_planner", signal.SIGCONT)),
    Fault("executor_frozen", "executor process frozen, thawed later",
          "supervisor damps; thawed: FAULT, silent, arming refused", 0.06, "steady",
          send("action_executor", signal.SIGSTOP), frozen_and_back, send("action_executor", signal.SIGCONT)),
    Fault("estimator_frozen", "state estimator frozen", _STEPS, PLAN_LOSS, "sim",
          send("state_estimator", signal.SIGSTOP), steps_to_a_stand, send("state_estimator", signal.SIGCONT)),
    Fault("guidance_frozen", "guidance server frozen in mid-command", "goal expires; stands on its feet", 5.0, "sim",
          send("guidance_task_server", signal.SIGSTOP), stands, send("guidance_task_server", signal.SIGCONT)),
    Fault("commands_stop", "cmd_vel stops in mid-command", "command expires; stands on its feet", 5.0, "sim",
          silence, stands),
    Fault("joystick_unplugged", "joystick unplugged in mid-command", "command expires; stands on its feet", 5.0, "sim",
          silence, stands, no_joystick, by_joystick),
    Fault("command_nan", "cmd_vel with NaN", _REFUSED, 1.0, "steady",
          nan_command, refuses(says("guidance_task_server", "cmd_vel refused"), "steady")),
    Fault("sensors_silent", "joint_states and imu/data stop", "HOLD, then DAMPING", STATE_LOSS, "steady",
          sensors("silent"), reaches("DAMPING", by="age"), sensors("none")),
    Fault("sensors_nan", "joint_states and imu/data hold NaN", "HOLD, then DAMPING; no NaN sent", STATE_LOSS, "steady",
          sensors("nan"), reaches("DAMPING", by="age"), sensors("none")),
    Fault("sensors_old", "joint_states and imu/data stamped 1 s ago", "HOLD, then DAMPING", STATE_LOSS, "steady",
          sensors("old"), reaches("DAMPING", by="age"), sensors("none")),
    Fault("sensors_future", "joint_states and imu/data stamped in 1 s", _STEPS, PLAN_LOSS, "sim",
          sensors("future"), steps_after_last_state, sensors("none")),
    Fault("state_nan", "robot_state with NaN", _REFUSED, 0.5, "sim",
          forged_state, refuses(states_dropped), no_states, count_states),
    Fault("plan_nan", "plans with NaN", _REFUSED, 0.5, "sim", forged_plan(with_nan), refuses(plans_refused)),
    Fault("plan_foreign", "plans of a second planner", _REFUSED, 0.5, "sim",
          forged_plan(of_another_session), refuses(plans_refused)),
    Fault("plan_old", "plans stamped 1 s ago", _REFUSED, 0.5, "sim",
          forged_plan(shifted(-1.0)), refuses(plans_refused)),
    Fault("plan_future", "plans stamped in 1 s", _REFUSED, 0.5, "sim",
          forged_plan(shifted(1.0)), refuses(plans_refused)),
    Fault("plan_repeated", "plans with ids of the past", _REFUSED, 0.5, "sim",
          forged_plan(repeated), refuses(plans_refused)),
    Fault("plan_joints", "plans for other joints", _REFUSED, 0.5, "sim",
          forged_plan(of_other_joints), refuses(plans_refused)),
    Fault("second_writer", "another node opens motor_command", "E_STOP, the node is named", 1.0, "steady",
          second_writer, reaches("E_STOP", by="steady"), remove_writer),
    Fault("e_stop_service", "e_stop_trigger called", "E_STOP: damping", 0.05, "steady",
          e_stop_service, first_damping("E_STOP"), prepare=e_stop_client),
    Fault("e_stop_topic", "true on e_stop_request", "E_STOP: damping", 0.05, "steady",
          e_stop_topic, first_damping("E_STOP"), prepare=e_stop_publisher),
    Fault("e_stop_button", "the joystick's e-stop button pressed", "E_STOP: damping", 0.05, "steady",
          lambda rig: rig.operator.press(_E_STOP_BUTTON), first_damping("E_STOP"), lambda rig: rig.operator.press()),
    Fault("paused", "simulation paused for 2 s", "last command stays; walks on", None, "sim", pause, goes_on()),
    Fault("clock_back", "clock set back by 1 s", _KEPT, 0.1, "steady",
          clock_jump(-1.0), steps_then_walks),
    Fault("clock_ahead", "clock set ahead by 1 s", _KEPT, 0.1, "steady",
          clock_jump(1.0), steps_then_walks),
    Fault("slow_clock", "real-time factor halved", "walks on", None, "sim",
          lambda rig: rig.set_parameter("mujoco_sim", "real_time_factor", 0.5 * rig.factor), goes_on(3.0),
          lambda rig: rig.set_parameter("mujoco_sim", "real_time_factor", rig.factor)),
    Fault("hog_in_planner", "a pure-Python hog in the planner's process", _SURVIVES, None, "steady",
          send("diffusion_planner", signal.SIGUSR1), survives(), send("diffusion_planner", signal.SIGUSR2)),
    Fault("hogs_beside", "two busy processes per core beside the stack", _SURVIVES, None, "steady",
          hogs, survives(), Rig.end_helpers),
    Fault("policy_swapped", "planner/load_engine in mid-walk", "walks on", None, "sim", swap_policy, goes_on()),
    Fault("disk_full", "the disk is full while recording", "the recorder says so and stops; walks on", None, "sim",
          record_on_a_full_disk, recorder_gives_up, Rig.end_helpers, recorder),
    Fault("terminal_stopped", "the terminal takes no output (Ctrl-S)", "walks on", None, "sim",
          stop_terminal, goes_on(4.0), terminal_goes_on),
    Fault("executor_killed", "executor process killed", "supervisor damps", 0.06, "steady",
          send("action_executor", signal.SIGKILL), damped_by_supervisor, restart("action_executor")),
    Fault("supervisor_killed", "supervisor process killed", "walks on", None, "sim",
          send("supervisor", signal.SIGKILL), goes_on(), restart("supervisor")),
)  # fmt: skip
"""In the order of the table; at the end those after which discovery needs 20 s to forget the dead process."""
