"""What ``ros2 launch`` hands over: everything it was given, known or not."""

import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.parameters import describe
from beyondmimic_diffusion.graph import BringupArguments, arguments_from_launch


def given(**changes):
    """The declared arguments at their defaults, as launch fills them in, and what was typed."""
    defaults = {spec.name: spec.default for spec in describe(BringupArguments)}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in defaults.items()}
    return {**texts, **changes}


def test_nothing_typed_gives_the_defaults():
    assert arguments_from_launch(given()) == BringupArguments()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"hardware_type": "isaacsim"}, {"sim": "isaac"}),
        ({"policy_path": "here"}, {"policy": "here"}),
        ({"engine_path": "there"}, {"policy": "there"}),
        ({"use_rviz": "true"}, {"rviz": True}),
        ({"use_foxglove": "True"}, {"foxglove": True}),
        ({"hardware_type": "isaacsim", "sim": "isaac"}, {"sim": "isaac"}),
    ],
)
def test_names_of_other_stacks_count_though_launch_has_filled_in_ours(typed, expected):
    assert arguments_from_launch(given(**typed)) == BringupArguments(**expected)


def test_two_names_for_one_thing_must_agree():
    with pytest.raises(ConfigError, match="hardware_type:=real is another name for sim, which is isaac; give one"):
        arguments_from_launch(given(sim="isaac", hardware_type="real"))


@pytest.mark.parametrize(("slip", "right"), [("simm", "sim"), ("dryrun", "dry_run"), ("networkinterface", "network_i")])
def test_a_slip_is_refused_that_launch_itself_would_take_without_a_word(slip, right):
    with pytest.raises(ConfigError, match=f"'{slip}:=x' is not an argument; .*did you mean '{right}"):
        arguments_from_launch(given(**{slip: "x"}))


def test_arguments_of_a_launch_file_that_includes_ours_are_none_of_our_business():
    assert arguments_from_launch(given(robot_name="bob", map_file="/a/b", lidar="true")) == BringupArguments()
