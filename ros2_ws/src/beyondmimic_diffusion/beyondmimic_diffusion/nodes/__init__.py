"""ROS 2 nodes: each turns messages into library calls and back. No physics, geometry or diffusion in here."""
