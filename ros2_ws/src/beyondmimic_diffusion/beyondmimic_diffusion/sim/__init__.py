"""Simulators, stepped by anyone; no ROS."""
