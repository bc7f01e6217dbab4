"""A robot that is a point: it goes where a waypoint goal says, with a lag. Imports nothing from core but its data."""

from __future__ import annotations

import math

import numpy as np
from beyondmimic_diffusion.core.types import RobotState


class PointRobot:
    """Planar position, velocity and heading; 50 Hz."""

    def __init__(self, xy=(0.0, 0.0), yaw: float = 0.0, speed: float = 0.5, stamp: float = 100.0):
        self.xy, self.velocity, self.yaw = np.array(xy, dtype=float), np.zeros(2), yaw
        self.speed, self.stamp, self.dt = speed, stamp, 0.02
        self.sway = 0.0
        """Amplitude of a sideways velocity that means nothing [m/s], at 1 Hz."""
        self.trace = [self.xy.copy()]

    def state(self) -> RobotState:
        sway = self.sway * math.cos(2.0 * math.pi * self.stamp)
        return RobotState(
            stamp=self.stamp,
            root_pos_w=np.append(self.xy, 0.76),
            root_quat_w=np.array([math.cos(0.5 * self.yaw), 0.0, 0.0, math.sin(0.5 * self.yaw)]),
            root_lin_vel_w=np.array([self.velocity[0], self.velocity[1] + sway, 0.0]),
            root_ang_vel_w=np.zeros(3),
            joint_pos=np.zeros(29),
            joint_vel=np.zeros(29),
        )

    def follow(self, goal) -> None:
        """One tick towards a waypoint goal, braking from 0.5 m on if it asks to stop there; anything else: stand."""
        wanted = np.zeros(2)
        if hasattr(goal, "position_xy_w"):
            offset = np.asarray(goal.position_xy_w) - self.xy
            distance = float(np.linalg.norm(offset))
            top = self.speed if goal.max_speed is None else min(self.speed, float(goal.max_speed))
            wanted = offset * top / max(distance, 0.5 if goal.stop else 0.05)
            if goal.heading_w is not None:
                error = math.remainder(float(goal.heading_w) - self.yaw, 2.0 * math.pi)
                self.yaw += max(-0.8, min(0.8, 4.0 * error)) * self.dt
        self.velocity += (wanted - self.velocity) * self.dt / 0.2
        self.xy = self.xy + self.velocity * self.dt
        self.stamp += self.dt
        self.trace.append(self.xy.copy())


def drive(task, robot: PointRobot, seconds: float):
    """Run a task with the robot until it is done or the time is up; returns the last update."""
    update = task.update(robot.state())
    for _ in range(round(seconds / robot.dt)):
        if update.done:
            break
        robot.follow(update.goals[0])
        update = task.update(robot.state())
    return update
