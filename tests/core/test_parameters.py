"""Parameter tables: ranges, unknown names, groups."""

from dataclasses import dataclass, field

import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.parameters import describe, from_mapping, param, validate


@dataclass(frozen=True)
class Inner:
    tilt: float = param(0.8, unit="rad", lo=0.1, hi=1.5, doc="Tilt at which we give up.")
    mode: str = param("hold", choices=("hold", "linear"), doc="How to fill in between.")


@dataclass(frozen=True)
class Outer:
    rate_hz: float = param(200.0, unit="Hz", lo=50.0, hi=1000.0, doc="Rate of motor commands.")
    tries: int = param(3, lo=1, doc="How often to try.")
    gains: tuple[float, ...] = param((1.0, 2.0), lo=0.0, doc="Gains.")
    verbose: bool = param(False, doc="Say more.")
    watchdog: Inner = field(default_factory=Inner)


def test_description_lists_every_parameter_once_with_dotted_groups_in_the_order_written():
    assert [spec.name for spec in describe(Outer)] == [
        "rate_hz", "tries", "gains", "verbose", "watchdog.tilt", "watchdog.mode",
    ]  # fmt: skip
    assert describe(Outer)[4].unit == "rad"


def test_defaults_are_valid_and_an_empty_mapping_gives_them():
    validate(Outer())
    assert from_mapping(Outer, {}) == Outer()


@pytest.mark.parametrize("mapping", [{"watchdog": {"tilt": 1}}, {"watchdog.tilt": 1.0}])
def test_nested_and_dotted_names_mean_the_same_and_a_whole_number_is_taken_as_a_float(mapping):
    config = from_mapping(Outer, mapping)
    assert config.watchdog.tilt == 1.0
    assert type(config.watchdog.tilt) is float


def test_a_list_is_taken_as_a_tuple_of_floats():
    assert from_mapping(Outer, {"gains": [1, 4.5]}).gains == (1.0, 4.5)


def test_an_unknown_name_is_refused_and_the_nearest_valid_one_is_proposed():
    with pytest.raises(ConfigError, match=r"no parameter 'watchdog\.tlit'; did you mean 'watchdog\.tilt'\?"):
        from_mapping(Outer, {"watchdog": {"tlit": 1.0}})


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"rate_hz": 10.0}, r"Outer\.rate_hz = 10\.0 is not allowed; allowed: 50\.0 \.\. 1000\.0 Hz"),
        ({"rate_hz": float("nan")}, "rate_hz = nan"),
        ({"tries": 0}, "at least 1"),
        ({"tries": True}, "is a bool"),
        ({"tries": 1.5}, "is a float"),
        ({"rate_hz": "fast"}, "is a str"),
        ({"gains": [1.0, -1.0]}, r"gains = \(1\.0, -1\.0\)"),
        ({"watchdog.mode": "spline"}, "one of 'hold', 'linear'"),
        ({"verbose": 1}, "is a int"),
    ],
)
def test_a_value_outside_its_range_or_of_the_wrong_type_names_the_field_what_was_got_and_what_is_allowed(mapping, said):
    with pytest.raises(ConfigError, match=said):
        from_mapping(Outer, mapping)
