"""Stage 1 policies: pretrained walkers and trackers behind one interface."""

from .catalog import SKILL_IDS, make_expert
from .interface import CONTROL_DT, Expert, RobotBatch
from .switching import SwitchingExpert

__all__ = ["CONTROL_DT", "SKILL_IDS", "Expert", "RobotBatch", "SwitchingExpert", "make_expert"]
