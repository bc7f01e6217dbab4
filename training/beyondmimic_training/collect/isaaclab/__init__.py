"""Collection in Isaac Lab: the recorder, the experts and the randomisation are those of MuJoCo."""
