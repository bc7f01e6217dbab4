"""A velocity walker that keeps the robot on its feet when the planner's policy is lost: opened, and held against it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ..errors import ArtifactError, ArtifactMismatchError
from ..execution.robot_limits import g1_ankles, g1_knees
from ..execution.standing import StandingConfig, StandingController
from ..execution.stepping import SteppingController
from ..robot.velocity_walker import WALKER_FILES, pretrained_path
from ..types import Array
from .manifest import PolicyManifest

INPUT, OUTPUT = "actor_obs", "action"
OBSERVATION_DIM = 100
_TRIAL_RUNS = 3
"""The first calls take longer: none of them shall be the one that the robot waits for."""
_GAIN_TOLERANCE = 1e-3


def open_standing(config: StandingConfig, manifest: PolicyManifest) -> StandingController:
    """What keeps the robot on its feet without plans: the walker that ``config.policy`` names, or its ankles.

    Raises:
        ArtifactError: See :class:`WalkerNetwork`.
        ArtifactMismatchError: Likewise.
    """
    stand = np.array(manifest.default_joint_pos)
    if not config.enabled or not config.policy:
        return g1_ankles(config, stand)
    return SteppingController(config, WalkerNetwork(config.policy, manifest), stand, g1_knees())


class WalkerNetwork:
    """Observation (1, 100) -> action (J,)."""

    def __init__(self, path: str | Path, manifest: PolicyManifest):
        """
        Args:
            path: ONNX file, or one of :data:`~..robot.velocity_walker.WALKER_FILES` by its name.
            manifest: Of the policy that plans; joints and gains must be the same, so that the motors change hands
                without a step in stiffness.

        Raises:
            ArtifactError: No such file, no ONNX model, or the package with the named walkers is not installed.
            ArtifactMismatchError: A walker of other joints, gains, inputs or outputs; the text names what differs.
        """
        name = str(path)
        file = pretrained_path(WALKER_FILES[name]) if name in WALKER_FILES else Path(path).expanduser()
        if not file.is_file():
            raise ArtifactError(
                f"there is no walker '{name}'; give one of {sorted(WALKER_FILES)}, or the path of an ONNX file"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises several unrelated types
            raise ArtifactError(f"ONNX Runtime {ort.__version__} cannot load {file}: {error}") from error
        self._check_graph(file, len(manifest.joint_names))
        _check_facts(file, self._session.get_modelmeta().custom_metadata_map, manifest)
        for _ in range(_TRIAL_RUNS):
            self(np.zeros((1, OBSERVATION_DIM)))

    def __call__(self, observation: Array) -> Array:
        """Action (J,) for one observation (1, 100)."""
        (action,) = self._session.run([OUTPUT], {INPUT: np.asarray(observation, dtype=np.float32)})
        return np.asarray(action, dtype=np.float64)[0]

    def _check_graph(self, file: Path, num_joints: int) -> None:
        found = {
            node.name: list(node.shape)[1:] for node in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        wanted = {INPUT: [OBSERVATION_DIM], OUTPUT: [num_joints]}
        if any(found.get(name) != shape for name, shape in wanted.items()):
            raise ArtifactMismatchError(f"{file} has inputs and outputs {found}; a walker has {wanted} (without batch)")


def _check_facts(file: Path, metadata: dict[str, str], manifest: PolicyManifest) -> None:
    """The walker's joints and gains, in its metadata, are the policy's."""
    remedy = "name another walker in standing.policy, or none ('') to stand on the ankles only"
    names = json.loads(metadata.get("dof_names", "[]"))
    if names != list(manifest.joint_names):
        raise ArtifactMismatchError(
            f"{file} acts on joints {names}; policy '{manifest.name}' on {list(manifest.joint_names)}; {remedy}"
        )
    for key, wanted in (("kp", manifest.kp), ("kd", manifest.kd)):
        found: Sequence[float] = json.loads(metadata.get(key, "[]"))
        if len(found) != len(wanted) or not np.allclose(found, wanted, rtol=_GAIN_TOLERANCE):
            raise ArtifactMismatchError(
                f"{file} was trained with {key} {list(found)}; policy '{manifest.name}' has {list(wanted)}: one joint "
                f"target would mean different torques; {remedy}"
            )
