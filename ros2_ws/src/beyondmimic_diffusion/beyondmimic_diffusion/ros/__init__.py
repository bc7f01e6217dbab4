"""The thin layer between ROS 2 and the core: conversions, QoS, parameters, diagnostics, life cycle, time."""
