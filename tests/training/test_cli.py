"""The command line: each mistake ends with one sentence and status 2."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from beyondmimic_training.cli import COMMANDS, main
from beyondmimic_training.store import shard_paths


def train(tmp_path: Path, data: Path, *overrides: str) -> int:
    file = tmp_path / "run.yaml"
    file.write_text(
        "steps: 2\nbatch_size: 4\nwarmup_steps: 1\nprecision: fp32\ncompile: false\n"
        "model: {history_len: 2, horizon: 4, action_horizon: 2, width: 16, num_layers: 1, num_heads: 2}\n"
    )
    return main(["train", "--config", str(file), f"data=[{data}]", f"out={tmp_path / 'run'}", *overrides])


@pytest.fixture
def spoilt(walk_folder: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be damaged."""
    return Path(shutil.copytree(walk_folder, tmp_path / "data"))


def error_of(capsys) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_train_makes_a_checkpoint_and_resumes_it(tmp_path, walk_folder):
    from beyondmimic_training.trainer import load_checkpoint

    assert train(tmp_path, walk_folder) == 0
    assert train(tmp_path, walk_folder, "steps=4") == 0
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == 4


def test_train_refuses_a_data_set_that_was_cut_off_while_a_chunk_was_written(tmp_path, spoilt, capsys):
    shard = shard_paths(spoilt)[0]
    chunk = next(p for p in (shard / "joint_pos" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    assert train(tmp_path, spoilt) == 2
    message = error_of(capsys)
    assert shard.name in message and "joint_pos" in message


def test_train_refuses_a_data_set_of_which_only_an_unfinished_shard_is_there(tmp_path, spoilt, capsys):
    shard = shard_paths(spoilt)[0]
    shard.rename(shard.with_name(shard.name + ".tmp"))
    assert train(tmp_path, spoilt) == 2
    assert "no complete episode" in error_of(capsys)


def test_train_refuses_a_folder_without_a_data_set(tmp_path, capsys):
    assert train(tmp_path, tmp_path / "nothing") == 2
    assert "dataset.json" in error_of(capsys)


def test_train_refuses_an_unknown_setting(tmp_path, walk_folder, capsys):
    assert train(tmp_path, walk_folder, "model.widht=8") == 2
    assert "widht" in error_of(capsys)


def test_train_refuses_a_damaged_checkpoint_in_its_folder(tmp_path, walk_folder, capsys):
    assert train(tmp_path, walk_folder) == 0
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert train(tmp_path, walk_folder, "steps=4") == 2
    assert "checkpoint.pt" in error_of(capsys)


def test_export_refuses_a_checkpoint_that_is_not_there(tmp_path, capsys):
    assert main(["export", "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / "policy")]) == 2
    assert "no.pt" in error_of(capsys)


def test_no_command_and_an_unknown_one_show_how_to_ask(capsys):
    for argv in ([], ["learn"]):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 2
        assert "usage" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
