"""Processes that see different files and measure different speeds still train one network."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch")

from beyondmimic_training.trainer import CHECKPOINT, load_checkpoint

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

_WORKER = """
import os, sys, torch
from dataclasses import replace
from pathlib import Path
from beyondmimic_training import world
from beyondmimic_training.config import load_train_config
from beyondmimic_training.train import make_trainer

config, results = load_train_config(Path(sys.argv[1]), []), Path(sys.argv[2])
rank = int(os.environ["RANK"])
outs = {0: config.out, 1: str(results / "machine1")}
if "--swap" in sys.argv:
    outs = {0: outs[1], 1: outs[0]}
slow = torch.float32 if rank == 0 else torch.bfloat16  # each machine finds another precision faster
world._matmul_time = lambda dtype: float(dtype == slow)
trainer = make_trainer(replace(config, out=outs[rank]))
trainer.fit()
torch.save({"network": trainer.network.state_dict(), "step": trainer.step, "samples": trainer.samples,
            "dtype": str(trainer.dtype)}, results / f"rank{rank}.pt")
world.leave_world()
"""


def run_two(config, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Rank 0 writes and reads ``config.out``, rank 1 a folder of its own; with ``--swap`` the other way round."""
    file, worker = folder / "run.yaml", folder / "worker.py"
    file.write_text(yaml.safe_dump({**config.to_dict(), "data": list(config.data), "betas": list(config.betas)}))
    worker.write_text(_WORKER)
    path = os.pathsep.join([str(ROOT / "ros2_ws/src/beyondmimic_diffusion"), str(ROOT / "training")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(worker)]
    return subprocess.run(
        [*command, str(file), str(folder), *options],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_a_rank_without_the_checkpoint_resumes_from_rank_0s_and_takes_its_precision(
    tiny_config, tiny_trainer, tmp_path
):
    tiny_trainer(steps=3).fit()
    result = run_two(replace(tiny_config, steps=6, precision="auto"), tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in range(2))
    assert (first["step"], second["step"]) == (6, 6)
    assert first["samples"] == second["samples"] == 3 * 8 + 3 * 2 * 8  # alone, then two by two
    assert first["dtype"] == second["dtype"] == "torch.bfloat16"
    for name, value in first["network"].items():
        assert torch.equal(value, second["network"][name]), name
    assert load_checkpoint(Path(tiny_config.out) / CHECKPOINT)["step"] == 6


def test_a_checkpoint_that_rank_0_does_not_see_is_not_overwritten_by_a_run_from_the_start(
    tiny_config, tiny_trainer, tmp_path
):
    kept = tiny_trainer(steps=3).fit()
    result = run_two(replace(tiny_config, steps=6), tmp_path, "--swap")
    assert result.returncode != 0
    assert "rank 0 does not see the checkpoint" in result.stderr
    assert CHECKPOINT in result.stderr
    assert load_checkpoint(kept)["step"] == 3
