"""Which token may look at which: the attention masks of the state-action denoiser.

Tokens, in this order (``t`` is now; a[i] is executed from s[i] and leads to s[i+1])::

    HISTORY  (s,a)[t-N] .. (s,a)[t-1]     N tokens, state and action merged
    CURRENT  s[t]                         1
    STATE    s[t+1] .. s[t+H]             H
    ACTION   a[t] .. a[t+Ha-1]            Ha

``differentiated`` is Diffuse-CLoC's mask (arXiv 2503.11801): states see all states and no action; the action at time i
sees states up to i and actions up to i. So the future reaches an action only through the hidden state of s[t], which
takes two layers. One departure: an executed action is merged with its state into a HISTORY token, so states see
*executed* actions. Those are facts; no action that is still being denoised reaches a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError


class TokenKind(Enum):
    """What a token stands for."""

    HISTORY = "past (state, action) pair"
    CURRENT = "newest state"
    STATE = "future state"
    ACTION = "future action"


@dataclass(frozen=True)
class Token:
    """One position in the network's sequence."""

    kind: TokenKind
    time: int
    """Steps from now: -N .. -1 history, 0 current state, 1 .. H future states, 0 .. Ha-1 actions."""


@dataclass(frozen=True)
class TokenLayout:
    """Order of the tokens in the network's sequence."""

    history_len: int
    horizon: int
    action_horizon: int

    @property
    def tokens(self) -> list[Token]:
        """What each element of the sequence is."""
        return [
            *(Token(TokenKind.HISTORY, i) for i in range(-self.history_len, 0)),
            Token(TokenKind.CURRENT, 0),
            *(Token(TokenKind.STATE, i) for i in range(1, self.horizon + 1)),
            *(Token(TokenKind.ACTION, i) for i in range(self.action_horizon)),
        ]

    @property
    def states(self) -> slice:
        """Where the future states are."""
        start = self.history_len + 1
        return slice(start, start + self.horizon)

    @property
    def actions(self) -> slice:
        """Where the future actions are."""
        start = self.history_len + 1 + self.horizon
        return slice(start, start + self.action_horizon)


def _differentiated(query: Token, key: Token) -> bool:
    """Diffuse-CLoC's table."""
    if query.kind is TokenKind.ACTION:
        return key.time <= query.time
    return key.kind is not TokenKind.ACTION


def _full(query: Token, key: Token) -> bool:
    """Everything sees everything (ablation)."""
    return True


def _causal(query: Token, key: Token) -> bool:
    """Nothing sees its future, not even through states: order s[i], a[i], s[i+1], ... (ablation)."""

    def order(token: Token) -> int:
        return 2 * token.time + (token.kind in (TokenKind.ACTION, TokenKind.HISTORY))

    return order(key) <= order(query)


_RULES = {"differentiated": _differentiated, "full": _full, "causal": _causal}

ATTENTION_KINDS = tuple(_RULES)
"""Names of the masks."""


def attention_mask(layout: TokenLayout, kind: str = "differentiated") -> NDArray[np.bool_]:
    """Boolean mask, shape (T, T): entry [q, k] is True where query token q may attend to key token k."""
    if kind not in _RULES:
        raise ConfigError(f"unknown attention '{kind}'; known are {', '.join(ATTENTION_KINDS)}")
    rule = _RULES[kind]
    return np.array([[rule(query, key) for key in layout.tokens] for query in layout.tokens], dtype=bool)
