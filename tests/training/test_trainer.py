"""The training loop: it learns, resumes exactly, runs on several processes, and refuses what is damaged."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError, DatasetError

torch = pytest.importorskip("torch")

from beyondmimic_training.optimizers import learning_rate_factor, make_optimizers, progress
from beyondmimic_training.prefetch import Prefetcher
from beyondmimic_training.trainer import CHECKPOINT, load_checkpoint
from beyondmimic_training.world import choose_precision

ROOT = Path(__file__).parents[2]


def weights(path: Path) -> dict:
    data = load_checkpoint(path)
    averaged = {k: v for k, v in data["ema"].items() if k != "step"}
    return {**data["network"], **averaged}


def assert_equal_weights(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


# ------------------------------------------------------------------ learning


def test_a_tiny_network_learns_one_batch_by_heart(tiny_trainer, tiny_config):
    """From pure noise and what is known it then gives the batch's futures."""
    model = replace(tiny_config.model, width=32)
    trainer = tiny_trainer(steps=150, learning_rate=1e-2, batch_size=4, model=model, warmup_steps=10)
    batch = trainer._batch(0)
    history, current, states, actions, _ = trainer._tensors(batch)

    def error() -> np.ndarray:
        """Share of the mean square that is missed, of states and of actions."""
        torch.manual_seed(3)
        noise = torch.randn_like(states), torch.randn_like(actions)
        levels = torch.full(states.shape[:2], 19), torch.full(actions.shape[:2], 19)
        with torch.no_grad():
            found = trainer.network(*noise, history, current, *levels)
        pairs = zip(found, (states, actions), strict=True)
        return np.array([float(((x - y) ** 2).mean() / (y**2).mean()) for x, y in pairs])

    assert np.all(error() > 0.8)
    for _ in range(150):
        trainer._update(trainer.network, batch)
    assert np.all(error() < 0.15)


def test_noise_is_mixed_in_by_the_level_of_each_token(tiny_trainer):
    trainer = tiny_trainer()
    levels = torch.tensor([0, 7, 19]).expand(400, 3)
    noised = trainer._noised(torch.full((400, 3, 30), 5.0), levels).numpy()
    for i, level in enumerate((0, 7, 19)):
        abar = float(trainer.alpha_bar[level])  # x_k = sqrt(abar) x_0 + sqrt(1 - abar) noise
        assert noised[:, i].mean() == pytest.approx(5.0 * abar**0.5, abs=5 * (1 - abar) ** 0.5 / 12000**0.5)
        assert noised[:, i].std() == pytest.approx((1 - abar) ** 0.5, rel=5 / 24000**0.5)


def test_validation_changes_neither_weights_nor_random_numbers(tiny_trainer):
    trainer = tiny_trainer()
    trainer._update(trainer.network, trainer._batch(0))
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    state = torch.get_rng_state()
    assert trainer.validate(1) == trainer.validate(1)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, before[name])


# ------------------------------------------------------------------ resume


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_that_was_stopped_and_resumed_gives_the_weights_of_one_that_was_not(
    tiny_trainer, tiny_config, tmp_path, optimizer
):
    settings = {"optimizer": optimizer, "checkpoint_minutes": 0.0, "model": replace(tiny_config.model, dropout=0.1)}
    whole = tiny_trainer(out=str(tmp_path / "whole"), **settings).fit()
    broken = tiny_trainer(out=str(tmp_path / "broken"), validate_every=4, **settings)

    def cut(batches: int = 4) -> tuple[float, float]:
        raise _PowerCutError

    broken.validate = cut  # in the fourth step, when three are in the checkpoint
    with pytest.raises(_PowerCutError):
        broken.fit()
    assert load_checkpoint(tmp_path / "broken" / CHECKPOINT)["step"] == 3
    resumed = tiny_trainer(out=str(tmp_path / "broken"), **settings)
    path = resumed.fit()
    assert resumed.step == 6 and resumed.samples == 48
    assert_equal_weights(whole, path)


def test_a_fresh_run_does_not_look_at_the_old_checkpoint(tiny_trainer, tmp_path):
    first = tiny_trainer(seed=1).fit()
    kept = shutil.copy(first, tmp_path / "first.pt")
    again = tiny_trainer(seed=1)
    assert_equal_weights(Path(kept), again.fit(resume=False))
    assert again.step == 6 and again.samples == 48


def test_a_finished_run_that_is_started_again_is_left_as_it_is(tiny_trainer, tmp_path):
    kept = shutil.copy(tiny_trainer().fit(), tmp_path / "first.pt")
    assert_equal_weights(Path(kept), tiny_trainer().fit())


def test_another_seed_gives_other_weights(tiny_trainer, tmp_path):
    a, b = (weights(tiny_trainer(seed=s, out=str(tmp_path / str(s))).fit()) for s in (0, 1))
    assert any(not torch.equal(a[name], b[name]) for name in a)


def test_a_run_may_start_from_the_averaged_weights_of_another(tiny_trainer, tmp_path):
    parent = tiny_trainer().fit()
    child = tiny_trainer(out=str(tmp_path / "child"), init_from=str(parent), seed=5)
    averaged = load_checkpoint(parent)["ema"]
    for name, value in child.network.state_dict().items():
        assert torch.equal(value, averaged[f"weights.{name}"])
    assert child.step == 0
    np.testing.assert_array_equal(child.state_norm.scale, load_checkpoint(parent)["state_norm"]["scale"])


def test_a_longer_plan_starts_from_the_weights_of_a_shorter_one(tiny_trainer, tiny_config, tmp_path):
    """Embeddings go by what a token stands for; the last one of its kind stands in for those that are new."""
    parent = tiny_trainer().fit()  # history 2, horizon 4, 2 actions
    model = replace(tiny_config.model, horizon=6, action_horizon=3)
    child = tiny_trainer(out=str(tmp_path / "child"), init_from=str(parent), model=model)
    old = load_checkpoint(parent)["ema"]["weights.position"]
    rows = [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 8]  # 2 history, now, 4 states and two more, 2 actions and one more
    assert torch.equal(child.network.state_dict()["position"], old[rows])
    child.fit()


def test_a_start_with_new_statistics_keeps_the_weights(tiny_trainer, tmp_path):
    parent = tiny_trainer().fit()
    changed = load_checkpoint(parent)
    changed["state_norm"]["scale"] = [2.0 * s for s in changed["state_norm"]["scale"]]
    torch.save(changed, parent)
    child = tiny_trainer(out=str(tmp_path / "child"), init_from=str(parent), init_normalizers=False)
    np.testing.assert_allclose(2.0 * np.asarray(child.state_norm.scale), changed["state_norm"]["scale"])
    assert torch.equal(child.network.state_dict()["position"], changed["ema"]["weights.position"])


def test_shared_levels_are_one_level_for_states_and_actions(tiny_trainer, tiny_config):
    levels = replace(tiny_config.levels, independent=False, committed=0.0)
    trainer = tiny_trainer(levels=levels)
    seen = []

    def forward(states, actions, history, current, state_levels, action_levels):
        seen.append(torch.cat([state_levels, action_levels], dim=1))
        return torch.zeros_like(states), torch.zeros_like(actions)

    for step in range(20):
        trainer.loss(forward, trainer._batch(step))
    together = torch.cat(seen)
    assert torch.all(together == together[:, :1]) and len(together.unique()) > 5


# ------------------------------------------------------------------ refusals


def test_a_truncated_checkpoint_is_refused_with_its_name(tiny_trainer):
    path = tiny_trainer().fit()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt"):
        load_checkpoint(path)
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt"):
        tiny_trainer().fit()


def test_a_missing_checkpoint_is_refused_with_its_name(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.pt"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_checkpoint_of_another_network_is_not_resumed(tiny_trainer, tiny_config):
    tiny_trainer().fit()
    other = replace(tiny_config.model, width=32)
    with pytest.raises(ArtifactError, match="'width': 16.*'width': 32"):
        tiny_trainer(model=other).fit()


def test_a_start_from_another_network_is_refused(tiny_trainer, tiny_config, tmp_path):
    parent = tiny_trainer().fit()
    with pytest.raises(ArtifactError, match="init_from.*'width': 16.*'width': 32"):
        tiny_trainer(out=str(tmp_path / "child"), init_from=str(parent), model=replace(tiny_config.model, width=32))


def test_unknown_words_are_refused_with_the_known_ones(tiny_config):
    with pytest.raises(ConfigError, match="auto, fp32 and bf16"):
        choose_precision("fp8", torch.device("cpu"))
    with pytest.raises(ConfigError, match="adamw and muon"):
        make_optimizers(torch.nn.Linear(2, 2), replace(tiny_config, optimizer="sgd"))


def test_no_data_set_at_all_is_refused(tiny_trainer):
    with pytest.raises(DatasetError, match="data="):
        tiny_trainer(data=())


# ------------------------------------------------------------------ parts


def test_several_data_sets_become_one_with_their_episodes_apart(walk_folder):
    from beyondmimic_training.train import load_together

    one, two = load_together((str(walk_folder),)), load_together((str(walk_folder), str(walk_folder)))
    count = one.num_frames
    assert two.num_frames == 2 * count
    np.testing.assert_array_equal(two.starts, [*one.starts, *(one.starts + count)])
    np.testing.assert_array_equal(two.frames["joint_pos"][count:], one.frames["joint_pos"])


def test_weights_decay_on_matrices_only_and_muon_takes_the_blocks_alone(tiny_trainer):
    trainer = tiny_trainer(optimizer="muon")
    adamw, muon = trainer.optimizers
    of = {id(p): name for name, p in trainer.network.named_parameters()}
    in_muon = {of[id(p)] for g in muon.param_groups for p in g["params"]}
    assert in_muon == {n for n, p in trainer.network.named_parameters() if n.startswith("blocks.") and p.ndim == 2}
    for group in adamw.param_groups:
        for p in group["params"]:
            assert (group["weight_decay"] > 0.0) == (p.ndim >= 2), of[id(p)]
    everything = [id(p) for o in trainer.optimizers for g in o.param_groups for p in g["params"]]
    assert sorted(everything) == sorted(of)


def test_the_learning_rate_warms_up_linearly_and_falls_as_a_cosine(tiny_config):
    config = replace(tiny_config, warmup_steps=10, learning_rate=1e-3, final_learning_rate=1e-5)
    assert [learning_rate_factor(s, 0.0, config) for s in (0, 4, 9, 50)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert learning_rate_factor(50, 0.5, config) == pytest.approx((1.0 + 0.01) / 2)
    assert learning_rate_factor(50, 1.0, config) == learning_rate_factor(50, 1.7, config) == pytest.approx(0.01)


def test_a_run_is_over_by_steps_or_by_time_whichever_is_first(tiny_config):
    assert progress(3, 1e9, tiny_config) == 0.5  # no limit of time
    timed = replace(tiny_config, minutes=2.0)
    assert progress(1, 60.0, timed) == 0.5
    assert progress(6, 0.0, timed) == progress(0, 120.0, timed) == 1.0


def test_batches_made_ahead_come_in_order_and_errors_reach_the_loop():
    items = iter(range(5))

    def make() -> int:
        item = next(items)
        if item == 3:
            raise DatasetError("broken frame")
        return item

    prefetcher = Prefetcher(make)
    batches = iter(prefetcher)
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DatasetError, match="broken frame"):
        next(batches)
    prefetcher.close()


# ------------------------------------------------------------------ several processes

_WORKER = """
import sys, torch
from pathlib import Path
from beyondmimic_training.config import load_train_config
from beyondmimic_training.train import make_trainer
from beyondmimic_training.world import leave_world
trainer = make_trainer(load_train_config(Path(sys.argv[1]), []))
trainer.fit()
torch.save({"network": trainer.network.state_dict(), "ema": trainer.ema.weights, "step": trainer.step,
            "samples": trainer.samples, "seconds": trainer.seconds}, f"{sys.argv[2]}/rank{trainer.world.rank}.pt")
leave_world()
"""


@pytest.mark.slow
def test_two_processes_train_one_network(tiny_config, tmp_path):
    """Both end with the same weights at the same step, though wall time decides when: one clock is agreed on."""
    config = replace(tiny_config, steps=100_000, minutes=0.02, batch_size=4)
    file, worker = tmp_path / "run.yaml", tmp_path / "worker.py"
    plain = config.to_dict()
    file.write_text(yaml.safe_dump({**plain, "data": list(config.data), "betas": list(config.betas)}))
    worker.write_text(_WORKER)
    path = os.pathsep.join([str(ROOT / "ros2_ws/src/beyondmimic_diffusion"), str(ROOT / "training")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(worker)]
    result = subprocess.run(
        [*command, str(file), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in range(2))
    assert first["step"] == second["step"] > 0
    assert first["seconds"] == second["seconds"]
    assert first["samples"] == first["step"] * 2 * 4
    for part in ("network", "ema"):
        for name, value in first[part].items():
            assert torch.equal(value, second[part][name]), name
    saved = load_checkpoint(Path(config.out) / CHECKPOINT)
    assert saved["step"] == first["step"]
