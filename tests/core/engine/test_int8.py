"""The network with 8-bit weights: chosen where it is, checked like the float file, left where it is wrong."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from beyondmimic_diffusion.core.engine import INT8, PolicyManifest, load_policy, make_golden
from beyondmimic_diffusion.core.errors import ArtifactError
from onnxruntime.quantization import QuantType, quantize_dynamic


@pytest.fixture
def with_int8(folder):
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of

    quantize_dynamic(folder / "model.onnx", folder / "model_int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
    replace(PolicyManifest.load(folder), int8_sha256=sha256_of(folder / "model_int8.onnx")).save(folder)
    return folder


def test_auto_takes_the_eight_bit_file_and_its_results_are_close_but_not_equal(with_int8):
    policy = load_policy(with_int8)
    assert policy.backend_name == INT8
    exact = load_policy(with_int8, "onnx")
    golden, coarse = (make_golden(policy.manifest, p.denoiser) for p in (exact, policy))
    difference = np.abs(golden["clean_states"] - coarse["clean_states"]).max()
    assert 1e-5 < difference < 0.3  # 8 bits of a range of about 3, through a few layers


def test_same_input_same_bits(with_int8):
    policy = load_policy(with_int8, INT8)
    first, second = (make_golden(policy.manifest, policy.denoiser, batch=1) for _ in range(2))
    np.testing.assert_array_equal(first["clean_actions"], second["clean_actions"])


@pytest.mark.parametrize("name", ["model.onnx", "model_int8.onnx"])
def test_either_file_truncated_is_refused_whichever_runs(with_int8, name):
    path = with_int8 / name
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ArtifactError, match=rf"{name} \(3000 bytes\) has sha256 .* truncated"):
        load_policy(with_int8)


def test_where_eight_bits_compute_something_else_auto_runs_the_float_file(with_int8):
    """As on a processor whose 8-bit products saturate; here the weights themselves are other ones."""
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of

    model = onnx.load(with_int8 / "model.onnx")
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 2:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(-3.0 * values), tensor.name))
    onnx.save(model, with_int8 / "other.onnx")
    quantize_dynamic(with_int8 / "other.onnx", with_int8 / "model_int8.onnx", weight_type=QuantType.QInt8)
    replace(PolicyManifest.load(with_int8), int8_sha256=sha256_of(with_int8 / "model_int8.onnx")).save(with_int8)
    assert load_policy(with_int8).backend_name == "onnx"
    with pytest.raises(ArtifactError, match="gives other results here"):
        load_policy(with_int8, INT8)
