"""Diffusion over trajectories: scheduler, attention masks, network, sampler, rolling buffer.

The network (``denoiser.py``) needs torch and is therefore not imported here.
"""

from .attention import ATTENTION_KINDS, Token, TokenKind, TokenLayout, attention_mask
from .scheduler import CLEAN, SCHEDULES, NoiseScheduler

__all__ = [
    "ATTENTION_KINDS",
    "CLEAN",
    "SCHEDULES",
    "NoiseScheduler",
    "Token",
    "TokenKind",
    "TokenLayout",
    "attention_mask",
]
