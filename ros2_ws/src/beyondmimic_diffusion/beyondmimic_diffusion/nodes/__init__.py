"""ROS 2 nodes: each turns messages into library calls and back. No physics, geometry or diffusion in here."""

from ..ros import robot_time

if robot_time.in_lockstep():  # before any module keeps the steady clock as a default
    robot_time.install()
