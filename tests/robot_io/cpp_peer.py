"""Unitree's C++ SDK as the other end of the wire, in a process of its own; started by ``unitree_peer.py``.

Plays the robot in lock step: publishes LowState n, waits until it sees the command that answers it, and so on. The
number of a message is the first joint's position. Prints one JSON object per answer.
"""

from __future__ import annotations

import json
import sys
import time

import unitree_interface as sdk

STUCK = 2.0
"""A message that is not answered within this is lost [s]."""


def say(answer: dict) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def state_of(values: dict) -> sdk.LowState:
    state = sdk.LowState(29)
    for name in ("q", "dq", "tau_est", "temperature", "voltage"):
        setattr(state.motor, name, values[name])
    for name in ("quat", "omega", "accel", "rpy"):
        setattr(state.imu, name, values[name])
    state.mode_machine = values["mode_machine"]
    return state


def command_of(robot: sdk.UnitreeInterface) -> dict:
    command = robot.read_incoming_command()
    return {name: list(getattr(command, name)) for name in ("q_target", "dq_target", "kp", "kd", "tau_ff")}


def exchange(robot: sdk.UnitreeInterface, count: int, period: float) -> dict:
    state = sdk.LowState(29)
    state.mode_machine = 5
    state.imu.quat = [1.0, 0.0, 0.0, 0.0]
    lost, start = [], time.monotonic()
    for n in range(1, count + 1):
        time.sleep(max(0.0, start + n * period - time.monotonic()))
        state.motor.q = [float(n)] + [0.0] * 28
        robot.publish_low_state(state)
        give_up = time.monotonic() + STUCK
        while robot.read_incoming_command().q_target[0] != n:
            if time.monotonic() > give_up:
                lost.append(n)
                break
            time.sleep(5e-5)
    return {"lost": lost, "seconds": time.monotonic() - start}


def main() -> None:
    robot = sdk.UnitreeInterface.create_g1("lo", dds_config=sys.argv[1])
    say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict = {}
        if order["do"] == "publish":
            robot.publish_low_state(state_of(order["state"]))
        elif order["do"] == "command":
            answer = command_of(robot)
        elif order["do"] == "write":
            command = sdk.MotorCommand(29)
            for name, values in order["command"].items():
                setattr(command, name, values)
            robot.write_low_command(command)
        elif order["do"] == "switcher":
            robot.enable_motion_switcher_responder()
        elif order["do"] == "exchange":
            answer = exchange(robot, order["count"], order["period"])
        say(answer)


if __name__ == "__main__":
    main()
