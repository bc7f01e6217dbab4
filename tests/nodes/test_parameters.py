"""The parameters of a node are exactly those of its dataclass."""

from dataclasses import dataclass, field

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.core.parameters import param, validate  # noqa: E402
from beyondmimic_diffusion.ros.parameters import NodeParameters  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Inner:
    tilt: float = param(0.8, unit="rad", lo=0.1, hi=1.5, doc="Tilt at which we give up.", live=True)


@dataclass(frozen=True)
class Config:
    gain: float = param(1.0, lo=0.0, hi=2.0, doc="Gain.", live=True)
    tries: int = param(3, lo=1, doc="How often to try.")
    mode: str = param("hold", choices=("hold", "linear"), doc="How.")
    gains: tuple[float, ...] = param((1.0, 2.0), doc="Gains.")
    watchdog: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        validate(self)


@pytest.fixture
def make(ros):
    def make_node(**overrides):
        parameters = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
        node = ros.add(Node("tested", context=ros.context, parameter_overrides=parameters))
        return node, NodeParameters(node, Config)

    return make_node


def test_overrides_reach_the_dataclass_and_what_is_not_given_keeps_its_default(make):
    _, parameters = make(watchdog__tilt=1.0, tries=5, gains=[3.0, 4.0])
    assert parameters.config == Config(tries=5, gains=(3.0, 4.0), watchdog=Inner(1.0))


def test_an_integer_in_a_yaml_file_is_read_as_a_float_where_one_is_meant(make):
    node, parameters = make(gain=2)
    assert parameters.config.gain == 2.0
    assert node.get_parameter("gain").type_ is Parameter.Type.DOUBLE


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"watchdog__tlit": 1.0}, r"tested: Config has no parameter 'watchdog\.tlit'; did you mean 'watchdog\.tilt'"),
        ({"gain": 3.0}, r"Config\.gain = 3\.0 is not allowed; allowed: 0\.0 \.\. 2\.0"),
        ({"mode": "spline"}, "one of 'hold', 'linear'"),
        ({"tries": "often"}, "is a str"),
    ],
)
def test_an_unknown_name_or_a_bad_value_stops_the_node_with_the_remedy_in_the_text(make, overrides, said):
    with pytest.raises(ConfigError, match=said):
        make(**overrides)


def test_tools_see_sentence_unit_and_range(make):
    node, _ = make()
    tilt, tries, mode = (node.describe_parameter(name) for name in ("watchdog.tilt", "tries", "mode"))
    assert tilt.description == "Tilt at which we give up. [rad]"
    assert (tilt.floating_point_range[0].from_value, tilt.floating_point_range[0].to_value) == (0.1, 1.5)
    assert tries.integer_range[0].from_value == 1
    assert mode.read_only and tries.read_only
    assert not tilt.read_only
    assert "'linear'" in mode.additional_constraints


def test_a_live_change_is_checked_passed_on_and_visible_in_the_configuration(make):
    node, parameters = make()
    seen = []
    parameters.on_change(seen.append)
    assert node.set_parameters_atomically([Parameter("watchdog.tilt", value=1.2)]).successful
    assert parameters.config.watchdog.tilt == node.get_parameter("watchdog.tilt").value == 1.2
    assert seen == [parameters.config]


def test_a_live_change_that_the_node_refuses_changes_nothing_and_the_reason_reaches_the_caller(make):
    node, parameters = make()
    parameters.on_change(lambda config: "not while it moves" if config.gain > 1.0 else None)
    refused = node.set_parameters_atomically([Parameter("gain", value=1.5)])
    assert (refused.successful, refused.reason) == (False, "not while it moves")
    assert parameters.config.gain == node.get_parameter("gain").value == 1.0
    assert node.set_parameters_atomically([Parameter("gain", value=0.5)]).successful


@pytest.mark.parametrize("name", ["mode", "tries", "use_sim_time"])
def test_what_is_read_at_start_cannot_be_set_later_and_the_reason_says_where_it_can(make, name):
    node, parameters = make()
    value = {"mode": "linear", "tries": 5, "use_sim_time": True}[name]
    refused = node.set_parameters_atomically([Parameter(name, value=value), Parameter("gain", value=0.5)])
    assert not refused.successful
    assert refused.reason == f"{name} is read at start; set it in the parameter file or launch argument and restart"
    assert parameters.config == Config()


@pytest.mark.parametrize("value", [3.0, float("nan"), "much"])
def test_a_live_change_that_is_out_of_range_or_of_another_type_is_refused_and_nothing_changes(make, value):
    node, parameters = make()
    assert not node.set_parameters_atomically([Parameter("gain", value=value)]).successful
    assert parameters.config == Config()
