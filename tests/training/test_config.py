"""Training configurations: what is written is what is run, or refused with its name."""

from pathlib import Path

import pytest
import yaml
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_training.config import TrainConfig, load_train_config, train_config

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.yaml"))


def load(tmp_path: Path, text: str, *overrides: str) -> TrainConfig:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return load_train_config(file, list(overrides))


@pytest.mark.parametrize(
    ("text", "name"),
    [("stepz: 5", "stepz"), ("model: {widht: 8}", "widht"), ("levels: {rmap: 0.1}", "rmap")],
)
def test_an_unknown_key_is_refused_with_the_known_ones(tmp_path, text, name):
    with pytest.raises(ConfigError, match=f"'{name}'.*known are"):
        load(tmp_path, text)


def test_an_unknown_override_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'windows_'|'star'"):
        load(tmp_path, "", "windows.star=0.1")


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    config = load(tmp_path, "steps: 7\nmodel: {width: 32, num_heads: 2}\n", "model.width=64", "seed=3", "data=[a, b]")
    assert (config.steps, config.seed, config.data) == (7, 3, ("a", "b"))
    assert (config.model.width, config.model.num_heads) == (64, 2)
    assert config.model.horizon == TrainConfig().model.horizon


def test_a_number_that_yaml_takes_for_text_is_still_a_number(tmp_path):
    """YAML 1.1 knows 1.0e-3, but not 1e-3."""
    config = load(tmp_path, "final_learning_rate: 1e-6", "learning_rate=3e-4", "steps=1e4")
    assert (config.learning_rate, config.final_learning_rate, config.steps) == (3e-4, 1e-6, 10_000)


def test_one_data_set_may_be_named_without_brackets(tmp_path):
    assert load(tmp_path, "data: data/walk").data == ("data/walk",)


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("steps=many", "steps"),
        ("steps=1.5", "steps"),
        ("compile=3", "compile"),
        ("learning_rate=true", "learning_rate"),
        ("out=5", "out"),
        ("model=3", "model"),
        ("betas=[0.9, high]", "betas"),
        ("steps=.inf", "steps"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_key(tmp_path, override, name):
    with pytest.raises(ConfigError, match=name):
        load(tmp_path, "", override)


@pytest.mark.parametrize("override", ["steps", "model.width.x=3", "seed.x=1"])
def test_an_override_of_another_form_is_refused(tmp_path, override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        load(tmp_path, "seed: 1", override)


@pytest.mark.parametrize("text", ["- 1\n- 2", "{", "just words"])
def test_a_file_that_is_no_mapping_is_refused_with_its_name(tmp_path, text):
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load(tmp_path, text)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_train_config(tmp_path / "nowhere.yaml", [])


def test_a_configuration_survives_yaml(tmp_path):
    config = train_config({"steps": 3, "betas": [0.8, 0.9], "model": {"state": "joint_rot"}})
    plain = yaml.safe_load(yaml.safe_dump({**config.to_dict(), "betas": list(config.betas), "data": list(config.data)}))
    assert train_config(plain) == config


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.stem)
def test_the_configurations_of_this_repository_load(file):
    assert load_train_config(file, []).steps > 0
