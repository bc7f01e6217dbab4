"""The robot: facts, model and kinematics. ``g1`` needs no MuJoCo; ``model`` and ``kinematics`` do."""
