"""The engine's host side on a made-up GPU: buffers, order, refusals. On a real one: marker ``gpu`` below."""

import json
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import PolicyManifest, check_golden, load_policy, make_golden
from beyondmimic_diffusion.core.engine.engine_manifest import (
    ENGINE_FILE,
    ENGINE_MANIFEST_FILE,
    EngineManifest,
    Installation,
    TensorFact,
)
from beyondmimic_diffusion.core.engine.files import sha256_of
from beyondmimic_diffusion.core.engine.network_io import dtype_of, input_shapes, output_shapes
from beyondmimic_diffusion.core.engine.onnx_backend import OnnxDenoiser
from beyondmimic_diffusion.core.engine.tensorrt_backend import TensorRtDenoiser
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample

from tests.reference.fake_gpu import ENGINE, FakeDevice, FakeTensorRt, make_engine


def io_shapes(manifest):
    return {name: (1, *shape) for name, shape in {**input_shapes(manifest), **output_shapes(manifest)}.items()}


@pytest.fixture
def engine_folder(folder):
    """A policy folder with an engine for the made-up GPU."""
    policy = PolicyManifest.load(folder)
    (folder / ENGINE_FILE).write_bytes(ENGINE)
    facts = [TensorFact(name, shape, dtype_of(name).name) for name, shape in io_shapes(policy).items()]
    EngineManifest(
        policy=policy.name,
        manifest_sha256=sha256_of(folder / "manifest.json"),
        onnx_sha256=policy.onnx_sha256,
        engine_sha256=sha256_of(folder / ENGINE_FILE),
        built_with=Installation("tensorrt", "10.3.0", "12.6", "Orin", "8.7", "12.4"),
        precision="fp16",
        inputs=tuple(facts[:6]),
        outputs=tuple(facts[6:]),
        graph_error=1e-3,
        golden_tolerance=2e-2,
    ).save(folder)
    return folder


def denoiser_of(folder, device=None, graph=True, **fake):
    policy = PolicyManifest.load(folder)
    device = device or FakeDevice()
    onnx = OnnxDenoiser(folder / "model.onnx", policy)
    api = FakeTensorRt(device, onnx, io_shapes(policy), **fake)
    return TensorRtDenoiser(folder, policy, api=api, device=device, graph=graph)  # type: ignore[arg-type]


def inputs(folder, batch, seed):
    golden = make_golden(PolicyManifest.load(folder), lambda *a: a[0], seed, batch)
    return (
        Sample(golden["states"], golden["actions"]),
        Conditioning(golden["history"], golden["current"]),
        Levels(golden["state_levels"], golden["action_levels"]),
    )


@pytest.mark.parametrize("graph", [True, False], ids=["with a CUDA graph", "without"])
def test_each_row_of_a_batch_gets_the_result_that_onnx_runtime_gives_it_alone(engine_folder, graph):
    engine = denoiser_of(engine_folder, graph=graph)
    onnx = OnnxDenoiser(engine_folder / "model.onnx", PolicyManifest.load(engine_folder))
    for seed, batch in ((0, 1), (1, 3), (2, 1)):  # one call must leave nothing behind for the next
        args = inputs(engine_folder, batch, seed)
        rows = [onnx(*(type(part)(*(array[i : i + 1] for array in part)) for part in args)) for i in range(batch)]
        for got, expected in zip(engine(*args), zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(got, np.concatenate(expected))


def test_the_golden_vectors_hold_through_the_buffers(engine_folder):
    assert check_golden(engine_folder, denoiser_of(engine_folder)) < 1e-5


def test_a_pass_is_recorded_once_after_the_warm_up_and_then_only_launched(engine_folder):
    device = FakeDevice()
    engine = denoiser_of(engine_folder, device)
    assert device.log.count("execute") == 3
    assert device.log[-2:] == ["synchronize", "capture"]
    device.log.clear()
    engine(*inputs(engine_folder, 2, 0))
    assert device.log == ["launch", "synchronize"] * 2


def test_inputs_go_up_before_the_engine_runs_and_outputs_come_down_after_it(engine_folder):
    device = FakeDevice()
    denoiser_of(engine_folder, device)
    assert device.log[: device.log.index("synchronize")] == (["upload"] * 6 + ["execute"] + ["download"] * 2) * 3


def test_results_are_copies_that_the_next_call_does_not_change(engine_folder):
    engine = denoiser_of(engine_folder)
    first = engine(*inputs(engine_folder, 1, 0))
    kept = first.states.copy()
    engine(*inputs(engine_folder, 1, 5))
    np.testing.assert_array_equal(first.states, kept)


def test_the_context_is_left_after_each_call_and_memory_is_given_back_at_the_end(engine_folder):
    device = FakeDevice()
    engine = denoiser_of(engine_folder, device)
    engine(*inputs(engine_folder, 1, 0))
    assert device.depth == 0
    engine.close()
    assert device.log[-1] == "close" and not device.memory


@pytest.mark.parametrize(
    ("device", "version", "said"),
    [
        (FakeDevice(), "10.7.0", r"built with tensorrt '10.3.0' \(here '10.7.0'\); build it here: .*build-engine"),
        (FakeDevice(gpu="Thor"), "10.3.0", r"gpu 'Orin' \(here 'Thor'\)"),
        (FakeDevice(capability="11.0"), "10.3.0", r"compute_capability '8.7' \(here '11.0'\)"),
        (FakeDevice(cuda="13.0"), "10.3.0", r"cuda '12.6' \(here '13.0'\)"),
        (FakeDevice(gpu="A", capability="9.0"), "10.3.0", r"gpu 'Orin' .*, compute_capability '8.7' "),
    ],
    ids=["version", "gpu", "compute capability", "cuda", "two"],
)
def test_an_engine_of_another_machine_is_refused_with_each_field_that_differs(engine_folder, device, version, said):
    with pytest.raises(ArtifactMismatchError, match=said):
        denoiser_of(engine_folder, device, version=version)


def test_another_driver_is_no_reason_to_refuse(engine_folder):
    denoiser_of(engine_folder, FakeDevice(driver="13.1"))


def test_a_truncated_engine_is_refused_by_its_hash(engine_folder):
    (engine_folder / ENGINE_FILE).write_bytes(ENGINE[:4])
    with pytest.raises(ArtifactError, match=r"model.plan \(4 bytes\) has engine_sha256 .*truncated or replaced; build"):
        denoiser_of(engine_folder)


def test_an_engine_that_tensorrt_refuses_is_refused_with_its_words(engine_folder):
    (engine_folder / ENGINE_FILE).write_bytes(b"something else")
    own = EngineManifest.load(engine_folder)
    replace(own, engine_sha256=sha256_of(engine_folder / ENGINE_FILE)).save(engine_folder)
    with pytest.raises(ArtifactError, match=r"tensorrt 10.3.0 on Orin refuses .*: magic tag does not match; build it"):
        denoiser_of(engine_folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"states": (1, 9, 5)}, r"has inputs .*'states': \(\(1, 9, 5\), 'float32'\).*policy 'tiny' needs"),
        ({"current": (-1, 5)}, "-1 is a shape left open, and without an optimisation profile"),
        ({"clean_actions": (1, 3, 7)}, r"has outputs .*\(1, 3, 7\)"),
        ({"extra": (1, 2)}, "has outputs .*'extra'"),
    ],
    ids=["other shape", "missing profile", "other output", "one more output"],
)
def test_an_engine_with_other_inputs_or_outputs_is_refused(engine_folder, change, said):
    shapes = {**io_shapes(PolicyManifest.load(engine_folder)), **change}
    with pytest.raises(ArtifactMismatchError, match=said):
        denoiser_of(engine_folder, engine=make_engine(shapes=shapes))


def test_without_an_execution_context_the_gpus_memory_is_suspected(engine_folder):
    with pytest.raises(ArtifactError, match="no execution context: TensorRT gave no reason; is the GPU's memory full"):
        denoiser_of(engine_folder, engine=make_engine(context=False))


@pytest.mark.parametrize("name", ["onnx_sha256", "manifest_sha256"])
def test_an_engine_of_another_policy_is_refused_by_the_hash_that_differs(engine_folder, name):
    replace(EngineManifest.load(engine_folder), **{name: "0" * 64}).save(engine_folder)
    with pytest.raises(ArtifactMismatchError, match=f"was built for {name} 0000.*the policy 'tiny' in this folder"):
        denoiser_of(engine_folder)


def test_a_policy_manifest_edited_after_the_building_is_noticed(engine_folder):
    policy = PolicyManifest.load(engine_folder)
    replace(policy, kp=(99.0, *policy.kp[1:])).save(engine_folder)
    with pytest.raises(ArtifactMismatchError, match="built for manifest_sha256"):
        denoiser_of(engine_folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "does not exist; build it here"),
        (lambda path: path.write_text("{"), "cannot be read as JSON"),
        (lambda path: rewrite(path, schema_version=2), "schema_version 2; this build reads up to 1"),
        (lambda path: rewrite(path, precision=16), r"field 'precision' is 16 \(int\); it must be a text"),
        (lambda path: rewrite(path, precise="fp16"), "field 'precise' is unknown; did you mean 'precision'"),
    ],
    ids=["missing", "no JSON", "newer", "wrong type", "unknown field"],
)
def test_a_bad_engine_manifest_is_refused_by_name(engine_folder, spoil, said):
    spoil(engine_folder / ENGINE_MANIFEST_FILE)
    with pytest.raises(ArtifactError, match=said):
        denoiser_of(engine_folder)


def rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_auto_says_why_it_does_not_take_the_engine_and_runs_onnx_runtime(engine_folder):
    policy = load_policy(engine_folder)
    assert policy.backend_name == "onnx"
    assert any(reason.startswith("not tensorrt: ") for reason in policy.passed_over)
    with pytest.raises((ConfigError, ArtifactError)):
        load_policy(engine_folder, "tensorrt")


def test_auto_takes_the_engine_where_it_can_be_run(engine_folder, monkeypatch):
    from beyondmimic_diffusion.core.engine import tensorrt_backend

    device, manifest = FakeDevice(), PolicyManifest.load(engine_folder)
    onnx = OnnxDenoiser(engine_folder / "model.onnx", manifest)
    api = FakeTensorRt(device, onnx, io_shapes(manifest))
    monkeypatch.setattr(tensorrt_backend, "find_tensorrt", lambda flavour: api)
    monkeypatch.setattr(tensorrt_backend, "open_device", lambda: device)
    policy = load_policy(engine_folder)
    assert (policy.backend_name, policy.passed_over) == ("tensorrt", ())
    assert policy.golden_error < 1e-5


def test_auto_passes_over_an_engine_whose_golden_vectors_do_not_hold(engine_folder, monkeypatch):
    from beyondmimic_diffusion.core.engine import tensorrt_backend

    device, manifest = FakeDevice(), PolicyManifest.load(engine_folder)
    onnx = OnnxDenoiser(engine_folder / "model.onnx", manifest)

    def shifted(*args):
        states, actions = onnx(*args)
        return Sample(states + np.float32(0.1), actions)

    api = FakeTensorRt(device, shifted, io_shapes(manifest))
    monkeypatch.setattr(tensorrt_backend, "find_tensorrt", lambda flavour: api)
    monkeypatch.setattr(tensorrt_backend, "open_device", lambda: device)
    policy = load_policy(engine_folder)
    assert policy.backend_name == "onnx"
    assert any("differ by 0.1, allowed are 0.02" in reason for reason in policy.passed_over)
