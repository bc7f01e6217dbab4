"""May a robot be armed on what its sensors read? The judge's sentences, as answers to the operator."""

from __future__ import annotations

from ..types import ImuSample, JointSample
from .sensor_judge import SensorJudge
from .sensor_window import SPAN

_REMEDY = "mend it, then ask again (docs/troubleshooting.md)"


class ArmingGate:
    """Watches samples while the robot is not armed."""

    def __init__(self, judge: SensorJudge):
        """
        Args:
            judge: Of its own: it sees only what is handed to :meth:`watch`.
        """
        self._judge = judge
        self._newest: JointSample | None = None

    def watch(self, samples: tuple[ImuSample, JointSample] | None) -> None:
        """Take in the newest pair of samples, the same objects again if nothing new came; None before the first."""
        if samples is not None and samples[1] is not self._newest:
            self._newest = samples[1]
            self._judge.take(*samples)

    @property
    def ready(self) -> bool:
        """Whether half a second of samples was seen."""
        return self._judge.ready

    def trouble(self) -> str:
        """What the sensors read that cannot be right, in a sentence with the remedy; empty if nothing."""
        findings = "; ".join(map(str, self._judge.findings()))
        return f"{findings}; {_REMEDY}" if findings else ""

    def refusal(self) -> str:
        """Why the robot must not be armed; empty if it may, or if there are no samples at all."""
        trouble = self.trouble()
        if trouble or self._newest is None or self._judge.ready:
            return trouble
        return (
            f"sensors were watched for {self._judge.seen:.2f} s, {SPAN:g} s are needed before arming; "
            "wait a moment, then arm again"
        )
