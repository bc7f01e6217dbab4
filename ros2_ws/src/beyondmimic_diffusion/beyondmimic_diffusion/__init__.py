"""BeyondMimic stage 2: guided state-action diffusion for a Unitree G1, as a library with a ROS 2 shell around it."""
