"""Our TensorRT code uses only what both TensorRT 10.3 and 11.4 have."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "ros2_ws/src/beyondmimic_diffusion/beyondmimic_diffusion/core/engine"
FILES = [
    ENGINE / "tensorrt_api.py",
    ENGINE / "tensorrt_backend.py",
    ROOT / "training/beyondmimic_training/build_engine.py",
]
REMOVED_IN_10 = {  # bindings by index, implicit batch, engines built in one call
    *("binding_is_input", "get_binding_dtype", "get_binding_format", "get_binding_index", "get_binding_name"),
    *("get_binding_shape", "get_profile_shape", "num_bindings", "max_batch_size", "has_implicit_batch_dimension"),
    *("execute", "execute_async", "execute_v2_async", "execute_async_v2", "set_binding_shape", "get_strides"),
    *("set_shape_input", "active_optimization_profile", "build_engine", "max_workspace_size", "build_cuda_engine"),
    *("fp16_mode", "int8_mode", "strict_type_constraints", "debug_sync_mode", "STRICT_TYPES", "EXPLICIT_PRECISION"),
    *("ENABLE_TACTIC_HEURISTIC", "add_fully_connected", "add_rnn_v2", "add_padding", "DISABLE_EXTERNAL_TACTIC_SOURCES"),
}
REMOVED_IN_11 = {  # precision flags, calibration, weak types
    *("FP16", "INT8", "FP8", "BF16", "INT4", "FP4", "OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"),
    *("DIRECT_IO", "EXPLICIT_BATCH", "int8_calibrator", "set_calibration_profile", "get_calibration_profile"),
    *("set_quantization_flag", "get_quantization_flag", "quantization_flags", "clear_quantization_flag"),
    *("platform_has_fast_fp16", "platform_has_fast_int8", "set_output_type", "reset_precision", "precision_is_set"),
    *("dynamic_range", "set_dynamic_range", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator", "IAlgorithmSelector"),
    *("device_memory_size", "device_memory_size_v2", "algorithm_selector", "CalibrationAlgoType", "QuantizationFlag"),
}


def attributes(path):
    """Names after a dot."""
    return {
        node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
    }


def chains(path):
    """Dotted names that begin with ``trt.``, each as a tuple without it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id == "trt":
            found.add(tuple(reversed(names)))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_name_is_used_that_was_removed_between_10_3_and_11_4(path):
    assert attributes(path) & (REMOVED_IN_10 | REMOVED_IN_11) == set()


def test_the_list_of_removed_names_would_catch_the_usual_code():
    code = "builder.max_batch_size = 1\nconfig.set_flag(trt.BuilderFlag.FP16)\ncontext.execute_async_v2([], 0)\n"
    used = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
    assert used & (REMOVED_IN_10 | REMOVED_IN_11) == {"max_batch_size", "FP16", "execute_async_v2"}


@pytest.mark.tensorrt
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_name_of_the_module_is_in_the_newest_tensorrt_that_is_installed(path):
    """TensorRT for RTX 1.7 has TensorRT 11's interface."""
    from beyondmimic_diffusion.core.engine.tensorrt_api import find_tensorrt

    module = find_tensorrt("tensorrt_rtx").module()
    for chain in chains(path):
        thing = module
        for name in chain:
            assert hasattr(thing, name), ".".join(("trt", *chain))
            thing = getattr(thing, name)


def stub_members():
    """Class -> names in it, of TensorRT 10.13's type stubs (which Python's own parser does not accept)."""
    spec = importlib.util.find_spec("tensorrt_stubs")
    if spec is None or spec.origin is None:
        pytest.skip("tensorrt-stubs is not installed")
    text = (Path(spec.origin).parents[1] / "tensorrt_bindings/tensorrt.pyi").read_text(encoding="utf-8")
    parts = re.split(r"^class (\w+)", text, flags=re.MULTILINE)[1:]
    members = re.compile(r"^    (?:def )?(\w+)[(:]", re.MULTILINE)
    return {name: set(members.findall(body)) for name, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.tensorrt
def test_every_method_that_the_types_of_10_know_is_still_a_method_in_the_newest():
    from beyondmimic_diffusion.core.engine.tensorrt_api import find_tensorrt

    module, classes = find_tensorrt("tensorrt_rtx").module(), stub_members()
    ours = {"Builder", "INetworkDefinition", "OnnxParser", "ParserError", "Runtime", "ICudaEngine", "IExecutionContext"}
    used = set().union(*(attributes(path) for path in FILES))
    checked = 0
    for name in ours:
        for method in classes[name] & used - {"name"}:
            assert hasattr(getattr(module, name), method), f"{name}.{method}"
            checked += 1
    assert checked >= 12
