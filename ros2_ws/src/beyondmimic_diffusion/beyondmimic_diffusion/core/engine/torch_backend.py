"""The denoiser in eager torch: for training-time evaluation, for comparison, and on a GPU without TensorRT."""

from __future__ import annotations

import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from ..diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from ..errors import ArtifactError
from ..types import Array, Conditioning, Levels, Sample
from .manifest import PolicyManifest

WEIGHTS_FILE = "model.pt"
"""State dict of :class:`StateActionDenoiser`."""


class TorchDenoiser:
    """``Denoiser`` backed by the torch module itself."""

    def __init__(self, module: StateActionDenoiser, device: str = "cpu"):
        """
        Args:
            module: The network; put into evaluation mode.
            device: Torch device to run on.
        """
        self.module = module.to(device).eval()
        self._device = torch.device(device)

    @classmethod
    def load(cls, path: str | Path, manifest: PolicyManifest, device: str = "cpu") -> TorchDenoiser:
        """Read a state dict.

        Raises:
            ArtifactError: No file, a damaged one, or weights of another network.
        """
        path = Path(path)
        if not path.is_file():
            raise ArtifactError(f"policy '{manifest.name}' has no torch weights {path}; use the 'onnx' backend")
        module = StateActionDenoiser(config_of(manifest))
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            module.load_state_dict(weights)
        except (RuntimeError, OSError, EOFError, TypeError, pickle.UnpicklingError) as error:
            raise ArtifactError(f"cannot load torch weights {path}: {error}; export the policy again") from error
        return cls(module, device)

    def __call__(self, sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        """See :class:`~..protocols.Denoiser`."""
        with torch.inference_mode():
            states, actions = self.module(
                self._tensor(sample.states, np.float32),
                self._tensor(sample.actions, np.float32),
                self._tensor(conditioning.history, np.float32),
                self._tensor(conditioning.current, np.float32),
                self._tensor(levels.states, np.int64),
                self._tensor(levels.actions, np.int64),
            )
        return Sample(states.float().cpu().numpy(), actions.float().cpu().numpy())

    def _tensor(self, values: Array | np.ndarray, dtype: type) -> torch.Tensor:
        return torch.from_numpy(np.array(values, dtype)).to(self._device)


def config_of(manifest: PolicyManifest) -> DenoiserConfig:
    """The network's configuration.

    Raises:
        ArtifactError: ``manifest.network`` has a field this build does not know, or lacks one.
    """
    known = {field.name for field in fields(DenoiserConfig)}
    unknown = sorted(set(manifest.network) - known)
    if unknown:
        raise ArtifactError(
            f"policy '{manifest.name}': network has fields {unknown} that this build does not know; update the stack"
        )
    return DenoiserConfig(**manifest.network)
