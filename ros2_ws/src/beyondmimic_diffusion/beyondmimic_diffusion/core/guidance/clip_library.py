"""The motions that come with a policy: the files in its folder ``clips``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import GoalError
from .clip import Clip

FOLDER = "clips"
"""Inside the policy's folder."""


class ClipLibrary:
    """Clips by name."""

    def __init__(self, clips: Iterable[Clip] = ()):
        self._clips = {clip.name: clip for clip in clips}

    @classmethod
    def load(cls, policy: Path, joint_names: tuple[str, ...], key_point_names: tuple[str, ...]) -> ClipLibrary:
        """All clips of a policy; none if it has no such folder.

        Args:
            policy: Its folder.
            joint_names: What the clips must be recorded with, in this order.
            key_point_names: The same for key points.

        Raises:
            ArtifactError: A file cannot be read, or is of another robot.
        """
        clips = [Clip.load(path) for path in sorted((policy / FOLDER).glob("*.npz"))]
        for clip in clips:
            clip.check(joint_names, key_point_names)
        return cls(clips)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all clips."""
        return tuple(self._clips)

    def named(self, name: str) -> Clip:
        """A clip by name.

        Raises:
            GoalError: There is none of that name.
        """
        if name not in self._clips:
            known = f"known are {', '.join(self._clips)}" if self._clips else "the policy comes with none"
            raise GoalError(f"there is no clip '{name}'; {known}")
        return self._clips[name]
