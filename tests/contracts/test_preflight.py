"""Settings of the machine under which nothing is started, each with its remedy."""

import pytest
from beyondmimic_diffusion.arguments import BringupArguments
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.preflight import check_machine, operator_notes

SIMULATED = BringupArguments()
UNITREE = BringupArguments(sim="unitree_mujoco")
REAL = BringupArguments(sim="real", network_interface="eth7", policy="p")
OPEN = {"ROS_DOMAIN_ID": "42", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}


@pytest.fixture
def interfaces(tmp_path):
    for name, state in (("eth7", "up"), ("eth8", "down"), ("lo", "unknown")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "operstate").write_text(state + "\n")
    return tmp_path


@pytest.mark.parametrize("arguments", [SIMULATED, UNITREE, REAL], ids=lambda a: a.sim)
@pytest.mark.parametrize("range_", ["LOCALHOST", "SUBNET"])
def test_a_domain_of_ones_own_is_fine_on_any_network(arguments, range_, interfaces):
    check_machine(arguments, {"ROS_DOMAIN_ID": "42", "ROS_AUTOMATIC_DISCOVERY_RANGE": range_}, interfaces)


@pytest.mark.parametrize(
    "environment",
    [{}, {"ROS_DOMAIN_ID": "0"}, {"ROS_DOMAIN_ID": ""}, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}],
    ids=str,
)
@pytest.mark.parametrize("arguments", [SIMULATED, UNITREE], ids=lambda a: a.sim)
def test_a_simulation_in_the_robots_domain_is_refused_on_an_open_network(arguments, environment, interfaces):
    with pytest.raises(ConfigError, match="unset ROS_DOMAIN_ID"):
        check_machine(arguments, environment, interfaces)


@pytest.mark.parametrize("closed", [{"ROS_AUTOMATIC_DISCOVERY_RANGE": "localhost"}, {"ROS_LOCALHOST_ONLY": "1"}])
def test_on_this_machine_alone_it_meets_no_robot_in_any_domain(closed, interfaces):
    check_machine(SIMULATED, {"ROS_DOMAIN_ID": "0", **closed}, interfaces)


@pytest.mark.parametrize(
    ("arguments", "change", "said"),
    [
        (REAL, {"ROS_DOMAIN_ID": "0", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "domain of the robot's own DDS"),
        (REAL, {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, "second CycloneDDS.*unset it"),
        (UNITREE, {"ROS_DOMAIN_ID": "1"}, "domain of the robot's own DDS.*unset it"),
        (UNITREE, {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, "second CycloneDDS.*unset it"),
        (SIMULATED, {"ROS_DOMAIN_ID": "home"}, "is not a number"),
    ],
    ids=["robot's domain", "real", "simulated domain", "simulated", "no number"],
)
def test_what_would_mix_with_the_robots_own_dds_is_refused(arguments, change, said, interfaces):
    with pytest.raises(ConfigError, match=said):
        check_machine(arguments, OPEN | change, interfaces)


@pytest.mark.parametrize(
    ("name", "said"),
    [("eth9", "no network interface 'eth9'; this machine has eth7, eth8"), ("eth8", "'eth8' is down; plug in")],
)
def test_an_interface_that_is_not_there_or_has_no_link_is_named(name, said, interfaces):
    with pytest.raises(ConfigError, match=said):
        check_machine(BringupArguments(sim="real", network_interface=name, policy="p"), OPEN, interfaces)


def test_beside_a_real_robot_the_operator_reads_how_to_stop_it_and_where_commands_go():
    dry = " ".join(operator_notes(REAL))
    assert "L2 + B" in dry
    assert "rt/lowcmd_dryrun" in dry
    wet = " ".join(operator_notes(BringupArguments(sim="real", dry_run="false", autostart="true")))
    assert "L2 + B" in wet
    assert "executor/take_motors" in wet
    assert "Dry run" not in wet
    assert operator_notes(SIMULATED) == operator_notes(UNITREE) == ()
