"""What the network sees: state features, their mirror image, normalisation, and history on the policy's time grid."""

from .history import ActionHistory, StateHistory
from .mirror import Mirror
from .normalizer import Normalizer
from .representation import (
    BodyPosRepresentation,
    CharacterFrame,
    JointRotRepresentation,
    StateRepresentation,
    StateSequence,
    character_frame,
    make_representation,
    relative_frame,
)

__all__ = [
    "ActionHistory",
    "BodyPosRepresentation",
    "CharacterFrame",
    "JointRotRepresentation",
    "Mirror",
    "Normalizer",
    "StateHistory",
    "StateRepresentation",
    "StateSequence",
    "character_frame",
    "make_representation",
    "relative_frame",
]
