"""The denoiser as a TensorRT engine: what runs on the robot's GPU.

An engine is built for a batch of one with fixed shapes (``build-engine``). One pass is::

    pinned inputs --copy--> GPU --execute_async_v3--> GPU --copy--> pinned outputs        all on one stream

recorded once as a CUDA graph and then launched as one thing. A graph of a *whole* plan is not made: between two passes
the plan's guidance and the scheduler's step run in NumPy on the CPU, the same code that evaluates a policy, and what
crosses over per pass is some 25 kB.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArtifactError, ArtifactMismatchError
from ..types import Conditioning, Levels, Sample
from .cuda_device import CudaDevice, open_device
from .engine_manifest import ENGINE_FILE, REBUILD, EngineManifest, Installation
from .manifest import PolicyManifest
from .network_io import INPUT_NAMES, OUTPUT_NAMES, dtype_of, feed_of, input_shapes, output_shapes
from .tensorrt_api import TensorRt, complaint, find_tensorrt, make_logger

if TYPE_CHECKING:
    import tensorrt

_WARM_UP = 3
"""Passes before the recording: TensorRT sets itself up at the first."""


class TensorRtDenoiser:
    """``Denoiser`` backed by an engine. Rows of a batch are run one after the other; one thread at a time."""

    def __init__(
        self,
        folder: str | Path,
        manifest: PolicyManifest,
        *,
        api: TensorRt | None = None,
        device: CudaDevice | None = None,
        graph: bool = True,
    ):
        """
        Args:
            folder: Policy folder with the engine and its manifest.
            manifest: The policy's.
            api: TensorRT; None: the kind the engine was built with.
            device: The GPU; None: the first.
            graph: Record a pass as a CUDA graph.

        Raises:
            ArtifactError: The engine or its manifest is missing, damaged, or TensorRT refuses it.
            ArtifactMismatchError: It was built for another policy, GPU or TensorRT, or has other inputs.
            ConfigError: TensorRT is not installed, or there is no GPU.
        """
        folder = Path(folder)
        self.engine_manifest = EngineManifest.load(folder)
        self.engine_manifest.check_files(folder, manifest)
        self._api = api or find_tensorrt(self.engine_manifest.built_with.flavour)
        self.device = device or open_device()
        self.engine_manifest.check_installation(installation(self._api, self.device), folder)
        with self.device.active():
            self._load(folder, manifest)
            self._allocate(manifest)
            for _ in range(_WARM_UP):
                self._enqueue()
            self.device.synchronize()
            self._launch: Callable[[], None] = self.device.capture(self._enqueue) if graph else self._enqueue

    def __call__(self, sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        """See :class:`~..protocols.Denoiser`."""
        feed = feed_of(sample, conditioning, levels)
        rows = len(sample.states)
        results = [np.empty((rows, *self._host[name].shape[1:]), np.float32) for name in OUTPUT_NAMES]
        with self.device.active():
            for row in range(rows):
                for name in INPUT_NAMES:
                    self._host[name][0] = feed[name][row]
                self._launch()
                self.device.synchronize()
                for name, result in zip(OUTPUT_NAMES, results, strict=True):
                    result[row] = self._host[name][0]
        return Sample(*results)

    def close(self) -> None:
        """Give the GPU's memory back; the denoiser cannot be called any more."""
        del self._context, self._engine
        self.device.close()

    def _load(self, folder: Path, manifest: PolicyManifest) -> None:
        path = folder / ENGINE_FILE
        trt, self._logger = self._api.module(), make_logger(self._api)
        self._runtime = trt.Runtime(self._logger)
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:  # its only sign of a mismatch
            raise ArtifactError(
                f"{self._api.flavour} {self._api.version} on {self.device.facts.gpu} refuses {path}: "
                f"{complaint(self._logger)}; {REBUILD} {folder}"
            )
        check_engine(engine, self._api, path, manifest)
        self._engine: tensorrt.ICudaEngine = engine
        self._context: tensorrt.IExecutionContext = engine.create_execution_context()
        if self._context is None:
            raise ArtifactError(
                f"{path}: no execution context: {complaint(self._logger)}; is the GPU's memory full? Else {REBUILD} "
                f"{folder}"
            )

    def _allocate(self, manifest: PolicyManifest) -> None:
        """A pinned array and device memory for each input and output, bound by name."""
        self._host: dict[str, np.ndarray] = {}
        self._address: dict[str, int] = {}
        for name, shape in {**input_shapes(manifest), **output_shapes(manifest)}.items():
            self._host[name] = self.device.pinned((1, *shape), dtype_of(name))
            self._address[name] = self.device.allocate(self._host[name].nbytes)
            if not self._context.set_tensor_address(name, self._address[name]):
                raise ArtifactError(f"the engine does not take '{name}': {complaint(self._logger)}")

    def _enqueue(self) -> None:
        """Put one pass on the stream."""
        for name in INPUT_NAMES:
            self.device.upload(self._address[name], self._host[name])
        if not self._context.execute_async_v3(self.device.stream):
            raise ArtifactError(f"the engine did not run: {complaint(self._logger)}")
        for name in OUTPUT_NAMES:
            self.device.download(self._host[name], self._address[name])


def installation(api: TensorRt, device: CudaDevice) -> Installation:
    """What is here, for comparing with what an engine was built with."""
    facts = device.facts
    return Installation(api.flavour, api.version, facts.cuda, facts.gpu, facts.compute_capability, facts.driver)


def check_engine(engine: Any, api: TensorRt, path: Path, manifest: PolicyManifest) -> None:
    """Refuse an engine whose inputs and outputs are not those of the policy's network.

    Raises:
        ArtifactMismatchError: With what was found and what is needed.
    """
    inputs = {name: ((1, *shape), dtype_of(name).name) for name, shape in input_shapes(manifest).items()}
    outputs = {name: ((1, *shape), dtype_of(name).name) for name, shape in output_shapes(manifest).items()}
    for kind, expected in ((api.module().TensorIOMode.INPUT, inputs), (api.module().TensorIOMode.OUTPUT, outputs)):
        word = "inputs" if expected is inputs else "outputs"
        found = tensors_of(engine, api, kind)
        if any(-1 in shape for shape, _ in found.values()):
            raise ArtifactMismatchError(
                f"{path} has {word} {found}: -1 is a shape left open, and without an optimisation profile for it "
                f"nothing can be run; {REBUILD} {path.parent}"
            )
        if found != expected:
            raise ArtifactMismatchError(
                f"{path} has {word} {found}; policy '{manifest.name}' needs {expected}; {REBUILD} {path.parent}"
            )


def tensors_of(engine: Any, api: TensorRt, mode: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and NumPy type name of each of an engine's inputs or outputs."""
    trt = api.module()
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    return {
        name: (tuple(engine.get_tensor_shape(name)), np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name)
        for name in names
        if engine.get_tensor_mode(name) == mode
    }
