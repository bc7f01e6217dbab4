"""The denoiser as it is exported: the same function of the same weights in fewer operations.

What depends on no input is computed once: the embedding of each noise level, added to positions and biases; the mask as
a sum before the softmax; the attention's scale inside the query's weights. Shapes are fixed but for the batch. In the
last block only tokens that are predicted ask, feed forward and leave. Together these save 5 to 10 % of a pass on a CPU.
"""

from __future__ import annotations

import copy
import math
from typing import Any, cast

import torch
from beyondmimic_diffusion.core.diffusion.denoiser import StateActionDenoiser
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class ExportForm(nn.Module):
    """Same inputs and outputs as ``StateActionDenoiser``; for tracing, not for training."""

    level_table: Tensor
    bias: Tensor
    offset_history: Tensor
    offset_current: Tensor
    offset_state: Tensor
    offset_action: Tensor

    def __init__(self, network: StateActionDenoiser):
        """
        Args:
            network: Is copied, not changed.
        """
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.config = config = network.config
        layout, known = config.layout, config.history_len + 1
        net = self.network
        with torch.no_grad():
            position = net.position
            tables = {
                "level_table": net.level_mlp(net.level_waves),
                "bias": torch.zeros(net.mask.shape).masked_fill(~net.mask, -math.inf),
                "offset_history": position[: known - 1] + net.embed_history.bias,
                "offset_current": position[known - 1 : known] + net.embed_current.bias,
                "offset_state": position[layout.states] + net.embed_state.bias,
                "offset_action": position[layout.actions] + net.embed_action.bias,
            }
            for block in net.blocks:  # queries are scaled by 1 / sqrt(width of a head)
                qkv = cast(Any, block).qkv
                for part in (qkv.weight, qkv.bias):
                    part[: config.width] *= (config.width // config.num_heads) ** -0.5
        for name, table in tables.items():
            self.register_buffer(name, table.detach(), persistent=False)

    def forward(
        self,
        states: Tensor,
        actions: Tensor,
        history: Tensor,
        current: Tensor,
        state_levels: Tensor,
        action_levels: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """See ``StateActionDenoiser.forward``."""
        net, config = self.network, self.config
        x = torch.cat(
            [
                _times(history, net.embed_history) + self.offset_history,
                _times(current, net.embed_current)[:, None] + self.offset_current,
                _times(states, net.embed_state) + (F.embedding(state_levels, self.level_table) + self.offset_state),
                _times(actions, net.embed_action) + (F.embedding(action_levels, self.level_table) + self.offset_action),
            ],
            dim=1,
        )
        for number, block in enumerate(net.blocks):
            x = self._block(cast(Any, block), x, number == len(net.blocks) - 1)
        out_states = net.head_state(net.norm_out(x[:, : config.horizon]))
        out_actions = net.head_action(net.norm_out(x[:, config.horizon :]))
        if not config.output_skip:
            return out_states, out_actions
        return (
            _mixed(state_levels, net.state_signal, states, net.state_sigma, out_states),
            _mixed(action_levels, net.action_signal, actions, net.action_sigma, out_actions),
        )

    def _block(self, block: Any, x: Tensor, last: bool) -> Tensor:
        """One block; the last one returns the tokens that are predicted only, (B, H + Ha, width)."""
        width, bias = self.config.width, self.bias
        known, tokens = self.config.history_len + 1, len(self.config.layout.tokens)
        y = block.norm_attention(x)
        if last:
            weight, offset = block.qkv.weight, block.qkv.bias
            query = F.linear(y[:, known:], weight[:width], offset[:width])
            key, value = F.linear(y, weight[width:], offset[width:]).split(width, -1)
            x, bias = x[:, known:], bias[known:]
        else:
            query, key, value = block.qkv(y).split(width, -1)
        asking = tokens - known if last else tokens
        heads, each = self.config.num_heads, width // self.config.num_heads
        query = query.reshape(-1, asking, heads, each).transpose(1, 2)
        key = key.reshape(-1, tokens, heads, each).permute(0, 2, 3, 1)
        value = value.reshape(-1, tokens, heads, each).transpose(1, 2)
        mixed = torch.softmax(query @ key + bias, dim=-1) @ value
        x = x + block.attention_out(mixed.transpose(1, 2).reshape(-1, asking, width))
        return x + block.ffn_out(F.gelu(block.ffn_in(block.norm_ffn(x))))


def _times(x: Tensor, linear: nn.Linear) -> Tensor:
    """The linear map without its bias."""
    return F.linear(x, linear.weight)


def _mixed(levels: Tensor, signal: Tensor, noisy: Tensor, sigma: Tensor, out: Tensor) -> Tensor:
    """``signal * noisy + sigma * out`` with the factors of each token's level."""
    return F.embedding(levels, signal[:, None]) * noisy + F.embedding(levels, sigma[:, None]) * out
