"""Motions of other people: read from the common files, checked, brought to 50 Hz, and written for trackers."""

from .motion import Motion, MotionError
from .reader import read_motion

__all__ = ["Motion", "MotionError", "read_motion"]
