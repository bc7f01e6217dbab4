"""Rollouts of Stage 1 policies, randomised and recorded."""

from .command import add_arguments, collect, main
from .randomization import CollectConfig, config_from_dict

__all__ = ["CollectConfig", "add_arguments", "collect", "config_from_dict", "main"]
