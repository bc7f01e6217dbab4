"""Which backend is chosen, by times that are given."""

from dataclasses import replace

import pytest
from beyondmimic_diffusion.core.engine import INT8, PolicyManifest
from beyondmimic_diffusion.core.engine.selection import choose_backend
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError
from beyondmimic_diffusion.core.pass_budget import PlanCost
from onnxruntime.quantization import QuantType, quantize_dynamic


@pytest.fixture
def with_int8(folder):
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of

    path = folder / "model_int8.onnx"
    quantize_dynamic(folder / "model.onnx", path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    replace(PolicyManifest.load(folder), int8_sha256=sha256_of(path)).save(folder)
    return folder


def times(**milliseconds):
    """Cost of a pass by backend; ``two`` is the factor of two threads."""
    factor = milliseconds.pop("two", 1.0)

    def cost_of(policy):
        own = milliseconds[policy.backend_name.replace("-", "_")]
        return PlanCost(0.001, 1e-3 * own * (factor if policy.threads == 2 else 1.0))

    return cost_of


@pytest.mark.parametrize(
    ("eight", "full", "chosen"),
    [(1.0, 2.0, INT8), (5.0, 2.0, "onnx"), (2.0, 1.95, INT8)],
    ids=["8 bits faster", "8 bits slower", "no clear difference: the preferred one"],
)
def test_the_fastest_backend_is_chosen_and_the_other_named_with_its_time(with_int8, eight, full, chosen):
    choice = choose_backend(with_int8, "auto", times(onnx_int8=eight, onnx=full), 1.0, 2)
    assert choice.policy.backend_name == chosen
    other = "onnx" if chosen == INT8 else INT8
    assert choice.reason.startswith(f"{chosen}: ") and f"not {other}: " in choice.reason
    assert "not tensorrt: no engine model.plan" in choice.reason and "\n" not in choice.reason


def test_a_backend_by_parameter_wins_however_slow(with_int8):
    choice = choose_backend(with_int8, "onnx", times(onnx_int8=1.0, onnx=50.0), 0.02, 8)
    assert (choice.policy.backend_name, choice.policy.threads) == ("onnx", 1)
    assert choice.reason == "onnx by parameter"


@pytest.mark.parametrize(
    ("budget", "cores", "two", "threads"),
    [(1.0, 8, 0.5, 1), (0.001, 8, 0.5, 2), (0.001, 2, 0.5, 1), (0.001, 8, 0.95, 1)],
    ids=["one keeps the budget", "two needed", "no cores to spare", "two no faster"],
)
def test_two_threads_are_taken_where_one_is_too_slow_and_cores_are_free(with_int8, budget, cores, two, threads):
    choice = choose_backend(with_int8, "auto", times(onnx_int8=5.0, onnx=9.0, two=two), budget, cores)
    assert (choice.policy.backend_name, choice.policy.threads) == (INT8, threads)


def test_an_eight_bit_file_that_does_not_hold_is_left_out_with_its_reason(with_int8, monkeypatch):
    from beyondmimic_diffusion.core.engine import factory

    monkeypatch.setattr(factory, "INT8_RMS_TOLERANCE", 1e-9)
    choice = choose_backend(with_int8, "auto", times(onnx=9.0), 1.0, 2)
    assert choice.policy.backend_name == "onnx"
    assert "not onnx-int8: the model gives other results here" in choice.reason


def test_no_folder_and_no_such_backend_are_refused(with_int8, tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        choose_backend(tmp_path / "nowhere", "auto", times(), 1.0, 2)
    with pytest.raises(ConfigError, match="unknown backend 'openvino'"):
        choose_backend(with_int8, "openvino", times(), 1.0, 2)
