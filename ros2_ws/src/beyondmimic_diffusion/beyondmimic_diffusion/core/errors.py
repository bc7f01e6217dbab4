"""Every exception this stack raises on purpose; all derive from :class:`BeyondMimicError`."""


class BeyondMimicError(Exception):
    """Something the operator can put right; the text says what was got and what would be right."""


class ArtifactError(BeyondMimicError):
    """A policy artifact (manifest, ONNX file, engine) cannot be read or is damaged."""


class ArtifactMismatchError(ArtifactError):
    """A policy artifact is sound, but was made for another robot, rate or layout."""


class ConfigError(BeyondMimicError):
    """A parameter is unknown or outside its range."""


class DatasetError(BeyondMimicError):
    """A data set is incomplete, damaged or of another schema."""


class GoalError(BeyondMimicError):
    """A goal that cannot be served, e.g. NaN or an unknown frame."""


class RobotModelError(BeyondMimicError):
    """The robot's model file is missing or differs from what the code knows of the robot."""
