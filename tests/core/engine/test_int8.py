"""The network with 8-bit weights: chosen where it is, checked like the float file, left where it is wrong."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from beyondmimic_diffusion.core.engine import INT8, PolicyManifest, check_golden, load_policy, make_golden
from beyondmimic_diffusion.core.engine.golden import INT8_RMS_TOLERANCE, INT8_TOLERANCE
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_diffusion.core.types import Sample
from onnxruntime.quantization import QuantType, quantize_dynamic


@pytest.fixture
def with_int8(folder):
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of

    quantize_dynamic(
        folder / "model.onnx",
        folder / "model_int8.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )
    replace(PolicyManifest.load(folder), int8_sha256=sha256_of(folder / "model_int8.onnx")).save(folder)
    return folder


def test_auto_takes_the_eight_bit_file_and_its_results_are_close_but_not_equal(with_int8):
    policy = load_policy(with_int8)
    assert policy.backend_name == INT8
    exact = load_policy(with_int8, "onnx")
    golden, coarse = (make_golden(policy.manifest, p.denoiser) for p in (exact, policy))
    difference = np.abs(golden["clean_states"] - coarse["clean_states"]).max()
    assert 1e-5 < difference < 0.3  # 8 bits of a range of about 3, through a few layers


def test_two_products_of_the_shipped_eight_bit_weights_always_fit_into_sixteen_bits():
    """Without VNNI a CPU adds two products of an unsigned activation and a signed weight in saturating 16 bits."""
    largest = 0
    for tensor in onnx.load("policies/walk/model_int8.onnx").graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2:
            largest = max(largest, int(np.abs(onnx.numpy_helper.to_array(tensor).astype(int)).max()))
    assert largest > 0 and 2 * 255 * largest <= 2**15 - 1


def test_errors_of_the_size_that_saturation_makes_are_refused_though_each_alone_is_small(with_int8):
    """The shipped policy with saturating sums had a root mean square of 0.2; rounding to 8 bits makes 0.025."""
    exact = load_policy(with_int8, "onnx")

    def wrong_by(size):
        def denoiser(sample, conditioning, levels):
            clean = exact.denoiser(sample, conditioning, levels)
            sign = np.where(np.arange(clean.states.shape[-1]) % 2, -size, size)
            return Sample(clean.states + sign, clean.actions)

        return denoiser

    assert check_golden(with_int8, wrong_by(0.025), INT8_TOLERANCE, INT8_RMS_TOLERANCE) == pytest.approx(0.025, 1e-3)
    with pytest.raises(ArtifactError, match=r"root mean square 0\.1.*allowed are 0\.3 \(0\.06\)"):
        check_golden(with_int8, wrong_by(0.2), INT8_TOLERANCE, INT8_RMS_TOLERANCE)


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
