"""Diffusion over trajectories: scheduler, attention masks, network, sampler, rolling buffer.

The network (``denoiser.py``) needs torch and is therefore not imported here.
"""

from .attention import ATTENTION_KINDS, Token, TokenKind, TokenLayout, attention_mask
from .level_path import LevelPath
from .rolling_buffer import RollingBuffer, RollingConfig
from .sampler import CleanRange, Sampler, SampleResult, draw_noise
from .scheduler import CLEAN, SCHEDULES, NoiseScheduler

__all__ = [
    "ATTENTION_KINDS",
    "CLEAN",
    "SCHEDULES",
    "CleanRange",
    "LevelPath",
    "NoiseScheduler",
    "RollingBuffer",
    "RollingConfig",
    "SampleResult",
    "Sampler",
    "Token",
    "TokenKind",
    "TokenLayout",
    "attention_mask",
    "draw_noise",
]
