"""Collect, train, evaluate and export the diffusion policy; its link to the stack is ``beyondmimic_diffusion.core``."""
