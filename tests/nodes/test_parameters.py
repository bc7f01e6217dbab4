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
    tilt: float = param(0.8, unit="rad", lo=0.1, hi=1.5, doc="Tilt at which we give up.")


@dataclass(frozen=True)
class Config:
    gain: float = param(1.0, lo=0.0, hi=2.0, doc="Gain.")
    tries: int = param(3, lo=1, doc="How often to try.")
    mode: str = param("hold", choices=("hold", "linear"), doc="How.", read_only=True)
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
    assert mode.read_only
    assert "'linear'" in mode.additional_constraints


def test_a_live_change_is_checked_passed_on_and_visible_in_the_configuration(make):
    node, parameters = make()
    seen = []
    parameters.on_change(seen.append)
    assert node.set_parameters([Parameter("watchdog.tilt", value=1.2)])[0].successful
    assert parameters.config.watchdog.tilt == 1.2
    assert seen == [parameters.config]


@pytest.mark.parametrize(("name", "value"), [("gain", 3.0), ("mode", "linear"), ("gain", "much")])
def test_a_live_change_that_is_out_of_range_read_only_or_of_another_type_is_refused_and_nothing_changes(
    make, name, value
):
    node, parameters = make()
    assert not node.set_parameters([Parameter(name, value=value)])[0].successful
    assert parameters.config == Config()
