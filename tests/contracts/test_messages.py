"""The interface files say units, frames and stamps, agree with what was built, and with the library's own enums."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.execution.modes import ExecutorMode

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ros2_ws" / "src" / "beyondmimic_msgs"
FILES = sorted(path for kind in ("msg", "srv", "action") for path in (PACKAGE / kind).iterdir())
FIELD = re.compile(
    r"^(?P<type>[\w/]+)(?P<array>\[[\d<=]*\])?\s+(?P<name>\w+)\s*(?P<constant>=\s*[^#\s]+)?\s*(?P<comment>#.*)?$"
)
TIMES = {"builtin_interfaces/Time", "builtin_interfaces/Duration"}
GEOMETRY = {f"geometry_msgs/{name}" for name in ("Pose", "Point", "Twist", "Vector3", "PoseStamped", "TwistStamped")}

ros = pytest.mark.ros


def declarations(file: Path) -> list[re.Match[str]]:
    """Field and constant lines of an interface file."""
    lines = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith(("#", "---"))
    ]
    matches = [FIELD.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return [match for match in matches if match]


def sections(file: Path) -> list[list[str]]:
    """Field names per section (request, response; goal, result, feedback), without constants."""
    parts = re.split(r"^---$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    matches = [[FIELD.match(line) for line in part.splitlines()] for part in parts]
    return [[m["name"] for m in part if m and not m["constant"] and not m.string.startswith("#")] for part in matches]


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_field_says_what_it_means(file):
    silent = [match["name"] for match in declarations(file) if len((match["comment"] or "").lstrip("# ")) < 5]
    assert silent == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_number_with_a_dimension_says_its_unit(file):
    numbers = [m for m in declarations(file) if m["type"].startswith("float") or m["type"] in GEOMETRY]
    own_frame = {"geometry_msgs/PoseStamped"}
    unitless = [m["name"] for m in numbers if "[" not in m["comment"] and m["type"] not in own_frame]
    assert unitless == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_header_says_what_its_stamp_and_frame_mean(file):
    headers = [m["comment"] for m in declarations(file) if m["type"] == "std_msgs/Header"]
    assert all("stamp" in comment and "frame" in comment for comment in headers), headers


def test_cmake_builds_every_interface_file():
    listed = re.findall(r"^\s+((?:msg|srv|action)/\w+\.\w+)$", (PACKAGE / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(str(file.relative_to(PACKAGE)) for file in FILES)


@ros
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_built_interfaces_have_the_fields_of_their_files(file):
    module = importlib.import_module(f"beyondmimic_msgs.{file.parent.name}")
    interface = getattr(module, file.stem)
    parts = {"msg": (), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}[file.parent.name]
    built = [
        list((getattr(interface, part) if part else interface).get_fields_and_field_types()) for part in parts or ("",)
    ]
    assert built == sections(file)


@ros
def test_action_errors_have_their_own_number_in_each_action():
    from beyondmimic_msgs import action

    seen: dict[int, str] = {}
    for file in (PACKAGE / "action").iterdir():
        result = getattr(action, file.stem).Result
        codes = {m["name"]: int(m["constant"].lstrip("= ")) for m in declarations(file) if m["constant"]}
        assert result.NONE == 0
        for name, code in codes.items():
            assert getattr(result, name) == code
            assert code == 0 or seen.setdefault(code, f"{file.stem}.{name}") == f"{file.stem}.{name}"


@ros
def test_executor_modes_have_the_numbers_of_the_message():
    from beyondmimic_msgs.msg import ExecutorState

    assert {mode.name: mode.value for mode in ExecutorMode} == {
        mode.name: getattr(ExecutorState, mode.name) for mode in ExecutorMode
    }


@ros
def test_planner_conditions_name_states_and_codes_of_the_message():
    from beyondmimic_diffusion.core.plan_worker import Condition
    from beyondmimic_msgs.msg import PlannerStatus

    for condition in Condition:
        state, code, _ = condition.value
        assert PlannerStatus.INACTIVE <= getattr(PlannerStatus, state) <= PlannerStatus.FAULT
        assert isinstance(getattr(PlannerStatus, code), int)


@ros
def test_a_plan_survives_the_wire(rng):
    from beyondmimic_msgs.msg import ActionPlan, CostStats
    from rclpy.serialization import deserialize_message, serialize_message

    plan = ActionPlan(plan_id=2**40, session_id=7, horizon=16, first_step=1, trusted_steps=16, guidance_cost=0.5)
    plan.joint_names = [f"joint_{index}" for index in range(29)]
    plan.position = rng.normal(size=16 * 29).astype("float32")
    plan.root_poses = rng.normal(size=16 * 7).astype("float32")
    plan.step_dt.nanosec = 20_000_000
    plan.cost_stats = [CostStats(name="velocity", value=0.25, gradient_norm=2.0)]

    data = serialize_message(plan)

    assert deserialize_message(data, ActionPlan) == plan
    assert len(data) < 65_507 - 60, "a plan must fit one UDP datagram"
