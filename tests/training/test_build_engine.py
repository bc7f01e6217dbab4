"""The shipped policy as an engine, built by the real TensorRT for RTX on a CPU; and what cannot be built."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from beyondmimic_diffusion.core.engine import PolicyManifest, load_policy
from beyondmimic_diffusion.core.engine.engine_manifest import ENGINE_FILE, ENGINE_MANIFEST_FILE, EngineManifest
from beyondmimic_diffusion.core.engine.files import sha256_of
from beyondmimic_diffusion.core.engine.tensorrt_api import find_tensorrt
from beyondmimic_diffusion.core.engine.tensorrt_backend import TensorRtDenoiser
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, ConfigError
from beyondmimic_training.build_engine import TOLERANCE, build_engine, convert, serialize
from beyondmimic_training.cli import main

from tests.reference.fake_gpu import FakeDevice

pytestmark = pytest.mark.tensorrt
WALK = Path(__file__).resolve().parents[2] / "policies" / "walk"
FILES = ("manifest.json", "model.onnx", "golden.npz")
RTX = "tensorrt_rtx"


def copy_of(source, target):
    target.mkdir()
    for name in FILES:
        shutil.copy(source / name, target / name)
    return target


def has_gpu():
    from beyondmimic_diffusion.core.engine.cuda_device import open_device

    try:
        open_device()
    except ConfigError:
        return False
    return True


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """The shipped policy with an engine."""
    folder = copy_of(WALK, tmp_path_factory.mktemp("engine") / "walk")
    assert main(["build-engine", "--policy", str(folder), "--tensorrt", RTX]) == 0
    return folder


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """Another in single precision, and what was logged."""
    folder, said = copy_of(WALK, tmp_path_factory.mktemp("engine") / "walk"), []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("beyondmimic_training.build_engine")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    build_engine(folder, "fp32", find_tensorrt(RTX))
    logger.removeHandler(handler)
    return folder, "\n".join(said)


@pytest.fixture
def folder(walk, tmp_path):
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(walk, tmp_path / "walk"))


def test_the_engines_manifest_tells_what_the_onnx_file_itself_says(walk):
    manifest, model = EngineManifest.load(walk), onnx.load(str(walk / "model.onnx"))
    for facts, values in ((manifest.inputs, model.graph.input), (manifest.outputs, model.graph.output)):
        assert {fact.name: (fact.shape[1:], np.dtype(fact.dtype)) for fact in facts} == {
            value.name: (
                tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]),
                onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
            )
            for value in values
        }
        assert {fact.shape[0] for fact in facts} == {1}
    assert manifest.onnx_sha256 == sha256_of(walk / "model.onnx")
    assert manifest.engine_sha256 == sha256_of(walk / ENGINE_FILE)
    assert manifest.built_with.tensorrt == find_tensorrt(RTX).version


def test_float16_changes_the_golden_results_a_little_and_halves_the_engine(walk, single):
    manifest = EngineManifest.load(walk)
    assert 1e-5 < manifest.graph_error < TOLERANCE["fp16"] / 5  # neither float32 after all, nor near the limit
    assert EngineManifest.load(single[0]).graph_error < 1e-4
    assert (walk / ENGINE_FILE).stat().st_size < 0.6 * (single[0] / ENGINE_FILE).stat().st_size


def test_the_converted_graph_keeps_its_inputs_outputs_norms_and_softmax_in_single_precision():
    policy = PolicyManifest.load(WALK)
    graph = onnx.shape_inference.infer_shapes(convert(onnx.load(str(WALK / "model.onnx")), "fp16", policy)).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type in (single, onnx.TensorProto.INT64)
    outputs = {node.op_type: [] for node in graph.node}
    for node in graph.node:
        outputs[node.op_type].append(kinds.get(node.output[0]))
    assert set(outputs["Softmax"]) == set(outputs["LayerNormalization"]) == {single}
    assert set(outputs["MatMul"]) == {half}


def test_without_a_gpu_auto_says_so_and_runs_the_cpu(walk):
    if has_gpu():
        pytest.skip("there is a GPU")
    policy = load_policy(walk)
    assert policy.backend_name == "onnx"
    assert policy.passed_over[0].startswith("not tensorrt: no GPU to use: pycuda: ")
    with pytest.raises(ConfigError, match=r"no GPU to use: pycuda: .*; cuda-python: "):
        load_policy(walk, "tensorrt")


def test_tensorrts_own_refusal_is_passed_on(folder):
    """Deserialising needs a driver: without one, and with damaged bytes anywhere, TensorRT returns nothing."""
    path = folder / ENGINE_FILE
    path.write_bytes(path.read_bytes()[:100_000])
    replace(EngineManifest.load(folder), engine_sha256=sha256_of(path)).save(folder)
    with pytest.raises(ArtifactError, match=r"tensorrt_rtx [\d.]+ on Orin refuses .*model.plan: (?!TensorRT gave no)"):
        TensorRtDenoiser(folder, PolicyManifest.load(folder), api=find_tensorrt(RTX), device=FakeDevice())


def test_an_engine_of_another_tensorrt_is_refused_before_it_is_loaded(folder):
    manifest = EngineManifest.load(folder)
    replace(manifest, built_with=replace(manifest.built_with, tensorrt="1.2.0.54")).save(folder)
    with pytest.raises(ArtifactMismatchError, match=r"tensorrt '1.2.0.54' \(here '1\."):
        TensorRtDenoiser(folder, PolicyManifest.load(folder), api=find_tensorrt(RTX), device=FakeDevice())


def test_a_truncated_engine_is_refused_by_its_hash(folder):
    path = folder / ENGINE_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="the file is truncated or replaced; build it here"):
        TensorRtDenoiser(folder, PolicyManifest.load(folder), api=find_tensorrt(RTX), device=FakeDevice())


def test_an_engine_that_fails_its_proof_is_left_without_manifest_so_that_nothing_loads_it(tmp_path, monkeypatch):
    monkeypatch.setattr("beyondmimic_training.build_engine.serialize", lambda graph, api: b"not an engine")
    folder = copy_of(WALK, tmp_path / "walk")
    with pytest.raises(ArtifactError, match="on Orin refuses"):
        build_engine(folder, "fp32", find_tensorrt(RTX), FakeDevice())  # type: ignore[arg-type]
    assert not (folder / ENGINE_MANIFEST_FILE).exists()


def test_a_shape_left_open_is_refused_by_name_and_tensorrt_itself_would_miss_a_profile():
    policy = PolicyManifest.load(WALK)
    model = onnx.load(str(WALK / "model.onnx"))
    with pytest.raises(ArtifactError, match="tensorrt_rtx .* cannot build the engine: .*no optimization profile"):
        serialize(model.SerializeToString(), find_tensorrt(RTX))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "horizon"
    with pytest.raises(ArtifactError, match=r"'states' has shape \[1, 'horizon', 120\].* without optimisation profile"):
        convert(model, "fp16", policy)


def test_a_graph_that_tensorrt_cannot_read_is_refused_in_its_words():
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3])
    node = onnx.helper.make_node("Wobble", ["x"], ["y"], domain="our.own")
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("our.own", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y]), opset_imports=opsets)
    with pytest.raises(ArtifactError, match="cannot read the ONNX graph: operator Wobble: .*; export the policy again"):
        serialize(model.SerializeToString(), find_tensorrt(RTX))


def test_tensorrt_proper_builds_only_where_the_engine_shall_run(tmp_path):
    if has_gpu():
        pytest.skip("there is a GPU")

    class Proper:
        flavour, version = "tensorrt", "10.3.0"

    with pytest.raises(ConfigError, match="an engine is built on the machine that runs it: no GPU to use"):
        build_engine(copy_of(WALK, tmp_path / "walk"), "fp16", Proper())  # type: ignore[arg-type]


def test_the_command_ends_with_one_sentence_and_status_2(tmp_path, capsys):
    assert main(["build-engine", "--policy", str(tmp_path)]) == 2
    assert "a policy folder needs manifest.json" in capsys.readouterr().err


def test_the_command_says_what_was_proved_and_what_was_not(single):
    assert "graph in fp32: differs from the golden vectors by" in single[1]
    if has_gpu():
        assert "MiB on " in single[1]
    else:
        assert "built without a GPU: not run here" in single[1]
