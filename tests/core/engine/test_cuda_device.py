"""Both libraries behind the small device interface, on made-up drivers; cuda-python's real module where installed."""

import ast
import ctypes
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import cuda_device, cuda_python_device, driver_graph, pycuda_device
from beyondmimic_diffusion.core.engine.driver_graph import DriverGraphs
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError

FOLDER = Path(cuda_device.__file__).parent


class Library:
    """``libcuda`` by its C functions; notes the calls, answers with codes."""

    def __init__(self, **codes):
        self.calls = []
        for name in driver_graph._SIGNATURES:
            setattr(self, name, self._function(name, codes.get(name, 0)))

    def _function(self, name, code):
        def call(*arguments):
            self.calls.append(name)
            if name == "cuGraphInstantiateWithFlags":
                ctypes.cast(arguments[0], ctypes.POINTER(ctypes.c_void_p))[0] = 4711
            if name == "cuGraphLaunch":
                assert arguments[0].value == 4711 and arguments[1] == 9
            return code

        return call


def test_a_recording_is_made_once_and_launched_as_often_as_asked():
    library = Library()
    graphs = DriverGraphs(library)
    launch = graphs.capture(9, lambda: library.calls.append("work"))
    assert library.calls == [
        *("cuStreamBeginCapture_v2", "work", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphDestroy")
    ]
    library.calls.clear()
    launch()
    launch()
    graphs.close()
    assert library.calls == ["cuGraphLaunch", "cuGraphLaunch", "cuGraphExecDestroy"]


def test_when_the_work_fails_the_stream_does_not_stay_in_recording():
    library = Library()
    with pytest.raises(ZeroDivisionError):
        DriverGraphs(library).capture(9, lambda: 1 // 0)
    assert library.calls == ["cuStreamBeginCapture_v2", "cuStreamEndCapture"]


def test_a_refusal_of_the_driver_names_its_function_and_code():
    with pytest.raises(ArtifactError, match="cuGraphInstantiateWithFlags failed with code 801"):
        DriverGraphs(Library(cuGraphInstantiateWithFlags=801)).capture(9, lambda: None)


class Pycuda(ModuleType):
    """``pycuda.driver`` as far as we use it; contexts are a stack, as in CUDA."""

    class Error(Exception):
        pass

    def __init__(self, devices=1):
        super().__init__("pycuda.driver")
        self.stack, self.calls, self.devices = [], [], devices
        self.Context = SimpleNamespace(pop=self.stack.pop)

    def init(self):
        if not self.devices:
            raise self.Error("cuInit failed: no CUDA-capable device is detected")

    def Device(self, index):
        context = SimpleNamespace(push=lambda: self.stack.append("primary"), detach=lambda: self.calls.append("detach"))
        return SimpleNamespace(
            retain_primary_context=lambda: context, compute_capability=lambda: (8, 7), name=lambda: "Orin"
        )

    def get_version(self):
        return (12, 6, 0)

    def get_driver_version(self):
        return 12080

    def Stream(self):
        assert self.stack, "a stream belongs to a context"
        return SimpleNamespace(handle=9, synchronize=lambda: self.calls.append("synchronize"))

    def pagelocked_empty(self, shape, dtype):
        return np.full(shape, 7, dtype)

    def mem_alloc(self, size):
        assert self.stack
        return Memory(self, size)

    def memcpy_htod_async(self, address, host, stream):
        self.calls.append(("up", address, host.nbytes, stream.handle))

    def memcpy_dtoh_async(self, host, address, stream):
        self.calls.append(("down", address, host.nbytes, stream.handle))


class Memory:
    def __init__(self, driver, size):
        self.driver, self.size = driver, size

    def __int__(self):
        return 4096

    def free(self):
        assert self.driver.stack
        self.driver.calls.append("free")


def pycuda_of(driver):
    return pycuda_device.PycudaDevice(driver, driver.Device(0), DriverGraphs(Library()))


def test_pycudas_facts_are_those_of_the_engine_manifest():
    facts = pycuda_of(Pycuda()).facts
    assert (facts.gpu, facts.compute_capability, facts.cuda, facts.driver) == ("Orin", "8.7", "12.6", "12.8")


def test_pycuda_works_inside_the_primary_context_only_and_leaves_the_stack_as_it_was():
    driver = Pycuda()
    device = pycuda_of(driver)
    assert driver.stack == []
    with device.active():
        host = device.pinned((2, 3), np.dtype(np.float32))
        np.testing.assert_array_equal(host, np.zeros((2, 3)))
        address = device.allocate(host.nbytes)
        device.upload(address, host)
        device.download(host, address)
        device.synchronize()
    assert driver.calls == [("up", 4096, 24, 9), ("down", 4096, 24, 9), "synchronize"]
    with pytest.raises(ValueError), device.active():
        raise ValueError
    assert driver.stack == []
    device.close()
    assert driver.calls[-2:] == ["free", "detach"] and driver.stack == []


def test_pycuda_without_a_gpu_is_refused_with_cudas_words(monkeypatch):
    package = ModuleType("pycuda")
    package.driver = driver = Pycuda(devices=0)
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    with pytest.raises(ConfigError, match="no GPU to use: pycuda: cuInit failed: no CUDA-capable device"):
        cuda_device.open_device("pycuda")


def test_no_module_makes_a_context_by_being_imported():
    for file in FOLDER.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not {"pycuda.autoinit", "pycuda.autoprimaryctx"} & (texts | names), file.name


class CudaRuntime:
    """``cuda.bindings.runtime`` as far as we use it: results after an error code; memory is that of this process."""

    cudaError_t = SimpleNamespace(cudaSuccess=0)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down")
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    cudaStreamNonBlocking, cudaHostAllocDefault = 1, 0

    def __init__(self, devices=1):
        self.devices, self.calls, self.kept = devices, [], []

    def __getattr__(self, name):
        if not name.startswith("cuda"):
            raise AttributeError(name)
        return lambda *arguments: self._answer(name, arguments)

    def _answer(self, name, arguments):
        self.calls.append(name)
        results = {
            "cudaGetDeviceCount": [self.devices],
            "cudaGetDeviceProperties": [SimpleNamespace(name=b"Orin\0\0", major=8, minor=7)],
            "cudaRuntimeGetVersion": [12060],
            "cudaDriverGetVersion": [12080],
            "cudaStreamCreateWithFlags": [9],
            "cudaStreamEndCapture": ["graph"],
            "cudaGraphInstantiate": ["playable"],
        }
        if name in ("cudaHostAlloc", "cudaMalloc"):
            self.kept.append(ctypes.create_string_buffer(arguments[0]))
            return 0, ctypes.addressof(self.kept[-1])
        if name == "cudaMemcpyAsync":
            ctypes.memmove(arguments[0], arguments[1], arguments[2])
        return 0, *results.get(name, [])


def test_cuda_python_copies_what_the_pinned_array_holds_there_and_back():
    device = cuda_python_device.CudaPythonDevice(CudaRuntime())
    with device.active():
        there, back = (device.pinned((2, 3), np.dtype(np.float32)) for _ in range(2))
        there[:] = np.arange(6).reshape(2, 3)
        address = device.allocate(there.nbytes)
        device.upload(address, there)
        device.download(back, address)
    np.testing.assert_array_equal(back, np.arange(6).reshape(2, 3))
    assert (device.facts.compute_capability, device.facts.driver) == ("8.7", "12.8")


def test_cuda_python_records_and_launches_and_frees():
    runtime = CudaRuntime()
    device = cuda_python_device.CudaPythonDevice(runtime)
    with device.active():
        device.allocate(8)
        runtime.calls.clear()
        launch = device.capture(lambda: runtime.calls.append("work"))
        launch()
    assert runtime.calls == [
        *("cudaStreamBeginCapture", "work", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphDestroy"),
        "cudaGraphLaunch",
    ]
    runtime.calls.clear()
    device.close()
    assert runtime.calls == ["cudaSetDevice", "cudaGraphExecDestroy", "cudaFree", "cudaStreamDestroy"]


def test_every_name_we_use_of_cuda_python_is_in_the_real_one():
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    text = (FOLDER / "cuda_python_device.py").read_text(encoding="utf-8")
    used = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    used |= {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    names = {name for name in used if isinstance(name, str) and name.startswith("cuda") and name.isidentifier()}
    kinds = (runtime, runtime.cudaError_t, runtime.cudaMemcpyKind, runtime.cudaStreamCaptureMode)
    missing = [name for name in names - {"cuda_python"} if not any(hasattr(kind, name) for kind in kinds)]
    assert len(names) > 15 and missing == []


def test_without_a_gpu_the_real_cuda_python_is_refused_with_cudas_words():
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match="cuda-python: cudaGetDeviceCount: "):
        cuda_device.open_device("cuda_python")


def test_without_any_library_both_reasons_are_given(monkeypatch):
    for name in ("pycuda", "pycuda.driver", "cuda.bindings.runtime", "cuda.cudart"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"no GPU to use: pycuda: .*; cuda-python: not installed"):
        cuda_device.open_device()


def test_an_unknown_library_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown CUDA library 'cupy'; known are pycuda, cuda_python"):
        cuda_device.open_device("cupy")
