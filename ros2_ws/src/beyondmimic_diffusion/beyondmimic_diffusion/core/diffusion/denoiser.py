r"""The denoising network: a transformer encoder over states and actions that predicts the clean trajectory.

Sequence and mask: ``attention.py``. Pre-norm encoder, GELU, feed-forward 4x; per-modality linear embeddings (their
bias is the modality's embedding), a learned position per token, and a noise-level embedding on the tokens that are
denoised. The output may be mixed with the input so that the network need not copy what it can see:

.. math:: \hat x_0 = \sqrt{\bar\alpha_k}\, x_k + \sqrt{1 - \bar\alpha_k}\, F(x_k, k)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..errors import ConfigError
from .attention import TokenLayout, attention_mask
from .scheduler import NoiseScheduler


@dataclass(frozen=True)
class DenoiserConfig:
    """Size and shape of the network; part of the policy's manifest."""

    state_dim: int
    """S, features of a state."""
    action_dim: int
    """A, numbers in an action token (58: two set-points of 29 joints)."""
    history_len: int = 4
    """N, past (state, action) pairs."""
    horizon: int = 16
    """H, future states."""
    action_horizon: int = 8
    """Ha, future actions."""
    width: int = 256
    num_layers: int = 4
    num_heads: int = 4
    dropout: float = 0.0
    """Of the attention weights, in training only."""
    attention: str = "differentiated"
    """A name from ``attention.ATTENTION_KINDS``."""
    output_skip: bool = True
    """Mix the noisy input into the prediction, as above."""
    num_levels: int = 20
    """K."""
    schedule: str = "cosine"
    """Noise schedule of the states."""
    action_schedule: str = ""
    """Noise schedule of the actions; empty = that of the states."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.num_heads):
            raise ConfigError(f"width {self.width} is not a multiple of twice num_heads ({self.num_heads})")
        if self.action_horizon > self.horizon:
            raise ConfigError(f"action_horizon {self.action_horizon} is beyond the horizon {self.horizon}")

    @property
    def layout(self) -> TokenLayout:
        """Order of the tokens."""
        return TokenLayout(self.history_len, self.horizon, self.action_horizon)


def sinusoidal_table(num_levels: int, width: int) -> Tensor:
    """Sines and cosines of each level (Vaswani et al. 2017, section 3.5), shape (K, width)."""
    frequency = torch.exp(-math.log(10000.0) * torch.arange(0, width, 2) / width)
    angle = torch.arange(num_levels)[:, None] * frequency[None, :]
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class _Block(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, width: int, num_heads: int, dropout: float):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.norm_ffn = nn.LayerNorm(width)
        self.ffn_in = nn.Linear(width, 4 * width)
        self.ffn_out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, width), ``mask`` (T, T) boolean, True = may attend."""
        batch, length, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, length, 3, self.num_heads, width // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, T, width / heads)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.ffn_out(F.gelu(self.ffn_in(self.norm_ffn(x))))


class StateActionDenoiser(nn.Module):
    """x_{0,theta}: predicts clean future states and actions from noisy ones and from what is known."""

    mask: Tensor
    level_waves: Tensor
    state_signal: Tensor
    state_sigma: Tensor
    action_signal: Tensor
    action_sigma: Tensor

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.config = config
        width, layout = config.width, config.layout
        self.embed_history = nn.Linear(config.state_dim + config.action_dim, width)
        self.embed_current = nn.Linear(config.state_dim, width)
        self.embed_state = nn.Linear(config.state_dim, width)
        self.embed_action = nn.Linear(config.action_dim, width)
        self.position = nn.Parameter(torch.zeros(len(layout.tokens), width))
        self.level_mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Block(width, config.num_heads, config.dropout) for _ in range(config.num_layers))
        self.norm_out = nn.LayerNorm(width)
        self.head_state = nn.Linear(width, config.state_dim)
        self.head_action = nn.Linear(width, config.action_dim)
        self._register_tables()
        self._initialise()

    def _register_tables(self) -> None:
        """Constants: rebuilt from the configuration, so not part of a checkpoint."""
        config = self.config
        states = NoiseScheduler(config.num_levels, config.schedule)
        actions = NoiseScheduler(config.num_levels, config.action_schedule or config.schedule)
        tables = {
            "mask": torch.from_numpy(attention_mask(config.layout, config.attention)),
            "level_waves": sinusoidal_table(config.num_levels, config.width),
            "state_signal": torch.from_numpy(states.signal).float(),
            "state_sigma": torch.from_numpy(states.sigma).float(),
            "action_signal": torch.from_numpy(actions.signal).float(),
            "action_sigma": torch.from_numpy(actions.sigma).float(),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def _initialise(self) -> None:
        """Xavier for the linear maps, smaller where a residual branch ends and at the heads."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position, std=0.02)
        for block in self.blocks:
            assert isinstance(block, _Block)
            for last in (block.attention_out, block.ffn_out):
                last.weight.data.div_(math.sqrt(2.0 * self.config.num_layers))
        nn.init.normal_(self.head_state.weight, std=0.02)
        nn.init.normal_(self.head_action.weight, std=0.02)

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        history: Tensor,
        current: Tensor,
        state_levels: Tensor,
        action_levels: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Predict the clean trajectory; everything is normalised.

        Args:
            states: Noisy s[t+1] .. s[t+H], shape (B, H, S).
            actions: Noisy a[t] .. a[t+Ha-1], shape (B, Ha, A).
            history: (s, a)[t-N] .. (s, a)[t-1], shape (B, N, S + A).
            current: s[t], shape (B, S).
            state_levels: Noise level of each state, 0 .. K-1, int64, shape (B, H).
            action_levels: Noise level of each action, 0 .. K-1, int64, shape (B, Ha).

        Returns:
            Clean states (B, H, S) and clean actions (B, Ha, A).
        """
        level_table = self.level_mlp(self.level_waves)  # (K, width): the same for every call once trained
        x = torch.cat(
            [
                self.embed_history(history),
                self.embed_current(current)[:, None],
                self.embed_state(states) + F.embedding(state_levels, level_table),
                self.embed_action(actions) + F.embedding(action_levels, level_table),
            ],
            dim=1,
        )
        x = x + self.position
        for block in self.blocks:
            x = block(x, self.mask)
        layout = self.config.layout
        out_states = self.head_state(self.norm_out(x[:, layout.states]))
        out_actions = self.head_action(self.norm_out(x[:, layout.actions]))
        if not self.config.output_skip:
            return out_states, out_actions
        clean_states = (
            self.state_signal[state_levels][..., None] * states + self.state_sigma[state_levels][..., None] * out_states
        )
        clean_actions = (
            self.action_signal[action_levels][..., None] * actions
            + self.action_sigma[action_levels][..., None] * out_actions
        )
        return clean_states, clean_actions
