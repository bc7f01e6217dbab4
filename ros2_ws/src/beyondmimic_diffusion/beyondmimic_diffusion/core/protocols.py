"""The few interfaces that several implementations share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .types import Array, Conditioning, CostStats, ImuSample, JointCommand, JointSample, Levels, Sample


@runtime_checkable
class Denoiser(Protocol):
    """The network, or any backend of it."""

    def __call__(self, sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        """Predict the clean sample from a noisy one; all arrays normalised, float32, batch first."""
        ...


@runtime_checkable
class Guidance(Protocol):
    """What steers a sample. The sampler does not know which costs are behind it."""

    def correction(self, clean_states: Array, k: int) -> Array:
        """Change to add to the predicted clean states.

        Args:
            clean_states: Normalised prediction, shape (B, H, S).
            k: Denoising level of the pass, K-1 (noise) .. 0 (last); lets a schedule weaken or skip passes.

        Returns:
            Normalised correction, shape (B, H, S); zeros where unguided.
        """
        ...

    def stats(self, clean_states: Array) -> tuple[tuple[CostStats, ...], ...]:
        """Per plan in the batch, the statistics of each cost at the given clean states."""
        ...


@runtime_checkable
class RobotInterface(Protocol):
    """One way to motors and IMU (topics, Unitree DDS, a simulator in this process)."""

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest sample pair, or None if nothing has arrived yet."""
        ...

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        ...
