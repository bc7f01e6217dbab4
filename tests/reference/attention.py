"""Diffuse-CLoC's attention table and one masked attention layer, in plain loops. Imports nothing from core."""

from __future__ import annotations

import math

import numpy as np


def cloc_table(history: int, horizon: int, actions: int) -> list[list[bool]]:
    """The table of the paper, row by row, for [history pairs, current state, future states, future actions]."""
    names = (
        [("past", i - history) for i in range(history)]
        + [("now", 0)]
        + [("future state", i + 1) for i in range(horizon)]
        + [("action", i) for i in range(actions)]
    )
    table = []
    for query, query_time in names:
        row = []
        for key, key_time in names:
            if query != "action":
                row.append(key != "action")
            elif key in ("past", "now"):
                row.append(True)
            else:  # states up to the action's own time, actions up to itself
                row.append(key_time <= query_time)
        table.append(row)
    return table


def masked_attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, allowed) -> np.ndarray:
    """softmax(q k / sqrt(d)) v over the allowed keys only; each (T, d), in float64 loops."""
    length, width = query.shape
    out = np.zeros_like(value, dtype=np.float64)
    for i in range(length):
        keys = [j for j in range(length) if allowed[i][j]]
        scores = [float(np.dot(query[i], key[j])) / math.sqrt(width) for j in keys]
        weights = [math.exp(score - max(scores)) for score in scores]
        for j, weight in zip(keys, weights, strict=True):
            out[i] += weight / sum(weights) * value[j]
    return out
