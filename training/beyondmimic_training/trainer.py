"""The training loop, its checkpoints and how it is resumed; one process or several."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from beyondmimic_diffusion.core.diffusion.attention import TokenLayout
from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_diffusion.core.diffusion.scheduler import NoiseScheduler
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError
from beyondmimic_diffusion.core.state import Normalizer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from .config import TrainConfig
from .curves import Curves
from .dataset import Batch, WindowSampler, WindowSource
from .device_windows import DeviceWindows
from .ema import Ema
from .exported_weights import policy_weights
from .loss import co_diffusion_loss, commit_prefix, draw_levels, hold_keyframes
from .optimizers import learning_rate_factor, make_optimizers, progress
from .prefetch import Prefetcher
from .world import choose_precision, from_leader, join_world, ranks_where

CHECKPOINT = "checkpoint.pt"
_OTHERS = (SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


class Trainer:
    """One training run; :meth:`fit` runs it to its end or resumes it."""

    def __init__(self, config: TrainConfig, source: WindowSource, provenance: dict[str, Any]):
        """
        Args:
            config: The run.
            source: Recorded windows.
            provenance: What to remember of the data; saved with every checkpoint.
        """
        self.config = config
        self.world = join_world()
        self.provenance = provenance
        rng = np.random.default_rng(config.seed)
        norms = source.fit_normalizers(config.model.normalizer, 4000, rng)
        self.state_norm, self.action_norm = from_leader(self.world, norms)  # each machine may have data of its own
        self.sampler = WindowSampler(source, config.windows, source.centres(0.02, validation=False))
        self.validator = WindowSampler(source, config.windows, source.centres(0.02, validation=True))
        m = config.model
        torch.manual_seed(config.seed)
        self.network_config = DenoiserConfig(
            state_dim=source.representation.dim,
            action_dim=self.action_norm.dim,
            history_len=m.history_len,
            horizon=m.horizon,
            action_horizon=m.action_horizon,
            width=m.width,
            num_layers=m.num_layers,
            num_heads=m.num_heads,
            dropout=m.dropout,
            attention=m.attention,
            num_levels=m.num_levels,
            schedule=m.schedule,
        )
        self.network = StateActionDenoiser(self.network_config).to(self.world.device)
        abar = NoiseScheduler(num_levels=m.num_levels, schedule=m.schedule).alpha_bar
        self.alpha_bar = torch.as_tensor(abar, dtype=torch.float32, device=self.world.device)
        self.optimizers = make_optimizers(self.network, config)
        self.ema = Ema(self.network, config.ema_power, config.ema_max)
        self.dtype = from_leader(self.world, choose_precision(config.precision, self.world.device))
        self.step = 0
        self.samples = 0
        self.seconds = 0.0
        self.out = Path(config.out)
        if config.init_from:
            self._start_from(Path(config.init_from))
        self._windows: DeviceWindows | None = None

    @property
    def done(self) -> float:
        """Share of the run that is over."""
        return progress(self.step, self.seconds, self.config)

    # ------------------------------------------------------------------ one step

    def _stream(self, step: int, *purpose: int) -> np.random.Generator:
        """Random numbers of one step of this process: a resumed run draws what an unbroken one would have drawn."""
        return np.random.default_rng([self.config.seed, self.world.rank, step, *purpose])

    def _batch(self, step: int) -> Batch:
        if self._windows is not None:
            generator = torch.Generator(self.world.device).manual_seed(int(self._stream(step, 1).integers(2**62)))
            return self._windows.batch(self.config.batch_size, generator)
        return self.sampler.batch(self.config.batch_size, self._stream(step, 1), self.state_norm, self.action_norm)

    def _windows_belong_on_device(self) -> bool:
        asked = self.config.windows_on
        if asked not in ("auto", "host", "device"):
            raise ConfigError(f"windows_on '{asked}' is unknown; known are auto, host and device")
        return asked == "device" or (asked == "auto" and self.world.device.type == "cuda")

    def _tensors(self, batch: Batch) -> list[Tensor]:
        return [torch.as_tensor(a).to(self.world.device, non_blocking=True) for a in batch]

    def _noised(self, clean: Tensor, levels: Tensor) -> Tensor:
        abar = self.alpha_bar[levels][..., None]
        return abar.sqrt() * clean + (1.0 - abar).sqrt() * torch.randn_like(clean)

    def loss(self, forward: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of one batch at freshly drawn noise levels."""
        history, current, states, actions, entering = self._tensors(batch)
        m, levels = self.config.model, self.config.levels
        # Drawn on the CPU where the batch was: a run gives the same weights whatever GPU it is resumed on.
        place = states.device if self._windows is not None else torch.device("cpu")
        state_levels = draw_levels(len(states), m.horizon, m.num_levels, levels, device=place)
        state_levels = hold_keyframes(state_levels, entering.to(place), levels).to(states.device)
        action_levels = draw_levels(len(states), m.action_horizon, m.num_levels, levels, device=place)
        if not levels.independent:
            state_levels = state_levels[:, :1].expand(-1, m.horizon)
            action_levels = state_levels[:, :1].expand(-1, m.action_horizon)
        action_levels = commit_prefix(action_levels, levels).to(states.device)
        noise = self.config.windows.history_noise
        history = history + noise * torch.randn_like(history)
        current = current + noise * torch.randn_like(current)
        with torch.autocast(states.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            clean_states, clean_actions = forward(
                self._noised(states, state_levels),
                self._noised(actions, action_levels),
                history,
                current,
                state_levels,
                action_levels,
            )
        return co_diffusion_loss(
            clean_states.float(), clean_actions.float(), states, actions, self.config.action_weight
        )

    def _update(self, forward: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        factor = learning_rate_factor(self.step, self.done, self.config)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group.setdefault("peak_lr", group["lr"])
                group["lr"] = group["peak_lr"] * factor
            optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(int(self._stream(self.step).integers(2**62)))  # for noise, levels and dropout
        losses = self.loss(forward, batch)
        losses[0].backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.grad_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(self.network)
        self.step += 1
        self.samples += len(batch.current) * self.world.size
        return tuple(x.detach() for x in losses)  # type: ignore[return-value]

    # ------------------------------------------------------------------ the run

    def fit(self, resume: bool = True) -> Path:
        """Train to the end of the run; returns the checkpoint's path.

        With the same seed, a run that was stopped and resumed gives the same weights as one that was not (where only
        ``config.steps`` decides the end, not the wall clock).
        """
        self.out.mkdir(parents=True, exist_ok=True)
        if resume:
            self._resume(self.out / CHECKPOINT)
        forward: nn.Module = self.network
        if self.world.size > 1:
            forward = nn.parallel.DistributedDataParallel(forward)
        if self.config.compile:
            forward = torch.compile(forward, dynamic=False)  # type: ignore[assignment]
        numbers = itertools.count(self.step)
        if self._windows_belong_on_device():
            self._windows = DeviceWindows(self.sampler, self.state_norm, self.action_norm, self.world.device)
        prefetcher = None if self._windows is not None else Prefetcher(lambda: self._batch(next(numbers)))
        batches = map(self._batch, numbers) if prefetcher is None else iter(prefetcher)
        writer = Curves(self.out, self.config) if self.world.leads else None
        try:
            # On a CPU the fused attention's backward pass takes a quarter of a step at our 29 tokens; plain products
            # do not.
            backends = [SDPBackend.MATH] if self.world.device.type == "cpu" else [SDPBackend.FLASH_ATTENTION, *_OTHERS]
            with sdpa_kernel(backends):
                self._loop(forward, batches, writer)
        finally:
            if prefetcher is not None:
                prefetcher.close()
            if writer:
                writer.close()
        self.save()
        return self.out / CHECKPOINT

    def _loop(self, forward: nn.Module, batches: Iterator[Batch], writer: Curves | None) -> None:
        config = self.config
        bar = tqdm(total=config.steps, initial=self.step, disable=not self.world.leads, mininterval=5.0, unit="step")
        started, before = time.monotonic(), self.seconds
        saved = started
        totals = torch.zeros(3, device=self.world.device)
        while self.done < 1.0:
            totals += torch.stack(self._update(forward, next(batches)))  # read seldom: reading waits for a GPU
            self.seconds = self._agreed(before + time.monotonic() - started)
            bar.update(1)
            if self.step % config.log_every == 0:
                mean = totals.cpu().numpy() / config.log_every
                totals.zero_()
                bar.set_postfix(loss=f"{mean[0]:.4f}", state=f"{mean[1]:.4f}", action=f"{mean[2]:.4f}", refresh=False)
                if writer:
                    factor = learning_rate_factor(self.step, self.done, config)
                    writer.add(self.step, mean, factor * config.learning_rate)
            if writer and self.step % config.validate_every == 0:
                writer.add_validation(self.step, self.validate())
            if time.monotonic() - saved > 60.0 * config.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        bar.close()

    def _agreed(self, seconds: float) -> float:
        """The leading process's clock: all must take the same learning rate and end at the same step."""
        if self.world.size == 1:
            return seconds
        shared = torch.tensor([seconds], dtype=torch.float64, device=self.world.device)
        dist.broadcast(shared, src=0)
        return float(shared)

    @torch.no_grad()
    def validate(self, batches: int = 4) -> tuple[float, float]:
        """State and action loss of the averaged weights on held-out episodes, with the same noise every time."""
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        random_state = torch.get_rng_state()
        self.network.load_state_dict(self.ema.weights)
        torch.manual_seed(7)
        rng = np.random.default_rng(7)
        sums = np.zeros(2)
        for _ in range(batches):
            batch = self.validator.batch(self.config.batch_size, rng, self.state_norm, self.action_norm)
            _, state, action = self.loss(self.network, batch)
            sums += [float(state), float(action)]
        self.network.load_state_dict(kept)
        torch.set_rng_state(random_state)
        return float(sums[0] / batches), float(sums[1] / batches)

    # ------------------------------------------------------------------ checkpoints

    def save(self) -> None:
        """Write the checkpoint; a crash half-way leaves the old one."""
        if not self.world.leads:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        data = {
            "config": self.config.to_dict(),
            "network_config": vars(self.network_config),
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
            "state_norm": self.state_norm.to_dict(),
            "action_norm": self.action_norm.to_dict(),
            "provenance": self.provenance,
        }
        temporary = self.out / (CHECKPOINT + ".tmp")
        torch.save(data, temporary)
        temporary.replace(self.out / CHECKPOINT)
        (self.out / "config.json").write_text(json.dumps(self.config.to_dict(), indent=1))

    def _resume(self, path: Path) -> None:
        """Go on from a checkpoint if there is one. The leading process's counts: on other machines it may be missing.

        Raises:
            ArtifactError: It is damaged, belongs to another network, or only other processes see it.
        """
        seen_by = ranks_where(self.world, path.exists())
        if not seen_by:
            return
        if 0 not in seen_by:
            raise ArtifactError(
                f"rank 0 does not see the checkpoint {path}, but ranks {seen_by} do; start rank 0 on a machine that "
                "has it, put 'out' on storage that all of them share, or start anew with --fresh"
            )
        data = from_leader(self.world, load_checkpoint(path) if self.world.leads else {})
        if data["network_config"] != vars(self.network_config):
            raise ArtifactError(
                f"checkpoint {path} holds a network {data['network_config']}, but the run asks for "
                f"{vars(self.network_config)}; choose another output folder or the same configuration"
            )
        self.network.load_state_dict(data["network"])
        self.ema.load_state_dict(data["ema"])
        for optimizer, state in zip(self.optimizers, data["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.step, self.samples, self.seconds = data["step"], data["samples"], data["seconds"]
        self.state_norm = Normalizer.from_dict(data["state_norm"])
        self.action_norm = Normalizer.from_dict(data["action_norm"])

    def _start_from(self, path: Path) -> None:
        """Take averaged weights, and unless told otherwise normalisers, of another run, but not its optimiser."""
        data = policy_weights(path) if path.is_dir() else load_checkpoint(path)
        averaged = {k.removeprefix("weights."): v for k, v in data["ema"].items() if k != "step"}
        saved = DenoiserConfig(**data["network_config"])
        averaged["position"] = _stretched(averaged["position"], saved.layout, self.network_config.layout)
        try:
            self.network.load_state_dict(averaged)
        except RuntimeError as error:
            raise ArtifactError(
                f"init_from: checkpoint {path} holds a network {data['network_config']}, but the run asks for "
                f"{vars(self.network_config)}; choose a checkpoint of the same sizes"
            ) from error
        self.ema = Ema(self.network, self.config.ema_power, self.config.ema_max)
        if self.config.init_normalizers:
            self.state_norm = Normalizer.from_dict(data["state_norm"])
            self.action_norm = Normalizer.from_dict(data["action_norm"])


def _stretched(position: Tensor, saved: TokenLayout, wanted: TokenLayout) -> Tensor:
    """Position embeddings (tokens, width) for another horizon: by kind and time, the last of a kind for the rest."""
    rows = {(token.kind, token.time): row for row, token in enumerate(saved.tokens)}
    last = {token.kind: row for row, token in enumerate(saved.tokens)}
    return position[[rows.get((token.kind, token.time), last[token.kind]) for token in wanted.tokens]]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Contents of a checkpoint.

    Raises:
        ArtifactError: The file is missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ArtifactError(f"checkpoint {path} cannot be read ({error}); train again or name another one") from error
