"""The library: no ROS, no SDK, no I/O, no clock. Time is an argument."""
