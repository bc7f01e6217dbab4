"""A GPU and a TensorRT made of NumPy: memory by address, a stream that does nothing until it is waited for, graphs.

An engine's bytes are the text ``fake engine``; running it runs the policy's ONNX file in ONNX Runtime on what lies in
the device's memory, so that results are right only if every buffer was bound, copied and waited for as it must be.
"""

from __future__ import annotations

import contextlib
import itertools
from types import SimpleNamespace

import numpy as np
from beyondmimic_diffusion.core.engine.cuda_device import DeviceFacts
from beyondmimic_diffusion.core.engine.network_io import INPUT_NAMES, OUTPUT_NAMES, dtype_of
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample

ENGINE = b"fake engine"


class FakeDevice:
    """See ``CudaDevice``; raises where a real GPU would crash or give what was there before."""

    library = "fake"
    stream = 77

    def __init__(self, gpu="Orin", capability="8.7", cuda="12.6", driver="12.6"):
        self.facts = DeviceFacts(gpu, capability, cuda, driver)
        self.memory: dict[int, np.ndarray] = {}
        self.pending: list = []
        self.recording: list | None = None
        self.log: list[str] = []
        self.depth = 0
        self._addresses = itertools.count(4096, 4096)

    @contextlib.contextmanager
    def active(self):
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def pinned(self, shape, dtype):
        self._check()
        return np.zeros(shape, dtype)

    def allocate(self, size):
        self._check()
        address = next(self._addresses)
        self.memory[address] = np.full(size, 0xAA, np.uint8)
        return address

    def upload(self, address, host):
        assert self.memory[address].nbytes == host.nbytes
        self.put("upload", lambda: np.copyto(self.memory[address], np.frombuffer(host.tobytes(), np.uint8)))

    def download(self, host, address):
        assert self.memory[address].nbytes == host.nbytes
        self.put("download", lambda: np.copyto(host, self.memory[address].view(host.dtype).reshape(host.shape)))

    def synchronize(self):
        self._check()
        assert self.recording is None, "a stream cannot be waited for while it is recorded"
        self.log.append("synchronize")
        pending, self.pending = self.pending, []
        for work in pending:
            work()

    def capture(self, work):
        self._check()
        assert not self.pending, "work was left on the stream when the recording began"
        self.log.append("capture")
        self.recording = recorded = []
        work()
        self.recording = None

        def launch():
            self._check()
            self.log.append("launch")
            self.pending += recorded

        return launch

    def close(self):
        self.memory.clear()
        self.log.append("close")

    def put(self, what, work):
        """On the stream, or into the recording."""
        self._check()
        if self.recording is not None:
            self.recording.append(work)
        else:
            self.log.append(what)
            self.pending.append(work)

    def _check(self):
        assert self.depth, "the GPU's context is not active in this thread"


class FakeTensorRt:
    """See ``TensorRt``; ``engine`` changes what is deserialised."""

    flavour = "tensorrt"

    def __init__(self, device, denoiser, shapes, version="10.3.0", engine=None):
        self.device, self.denoiser, self.shapes, self.version = device, denoiser, shapes, version
        self.engine = engine or (lambda fake: _Engine(fake))
        self.loggers: list = []

    def module(self):
        """What ``import tensorrt`` would give."""
        fake = self
        severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)

        class Runtime:
            def __init__(self, logger):
                self.logger = logger

            def deserialize_cuda_engine(self, content):
                if content != ENGINE:
                    self.logger.log(severity.WARNING, "only a warning")
                    self.logger.log(severity.ERROR, "magic tag does not match")
                    return None
                return fake.engine(fake)

        class ILogger:
            Severity = severity

        return SimpleNamespace(
            ILogger=ILogger,
            Runtime=Runtime,
            TensorIOMode=SimpleNamespace(INPUT="in", OUTPUT="out"),
            nptype=lambda dtype: dtype,
        )


class _Engine:
    def __init__(self, fake, shapes=None, context=True):
        self.fake, self.shapes, self.context = fake, shapes or fake.shapes, context
        self.num_io_tensors = len(self.shapes)

    def get_tensor_name(self, index):
        return list(self.shapes)[index]

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def get_tensor_dtype(self, name):
        return dtype_of(name)

    def get_tensor_mode(self, name):
        return "in" if name in INPUT_NAMES else "out"

    def create_execution_context(self):
        return _Context(self.fake) if self.context else None


class _Context:
    def __init__(self, fake):
        self.fake = fake
        self.bound: dict[str, int] = {}

    def set_tensor_address(self, name, address):
        self.bound[name] = address
        return name in self.fake.shapes

    def execute_async_v3(self, stream):
        assert stream == self.fake.device.stream
        assert set(self.bound) == set(self.fake.shapes), "an input or output has no memory"
        self.fake.device.put("execute", self._run)
        return True

    def _run(self):
        memory = self.fake.device.memory
        values = [memory[self.bound[name]].view(dtype_of(name)).reshape(self.fake.shapes[name]) for name in INPUT_NAMES]
        clean = self.fake.denoiser(Sample(*values[:2]), Conditioning(*values[2:4]), Levels(*values[4:]))
        for name, value in zip(OUTPUT_NAMES, clean, strict=True):
            memory[self.bound[name]][:] = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)


def make_engine(**changes):
    """For ``FakeTensorRt(engine=...)``: an engine that differs from the right one."""
    return lambda fake: _Engine(fake, **changes)
