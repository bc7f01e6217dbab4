"""The moving average against its sum written out."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from beyondmimic_training.ema import Ema
from torch import nn


class Counted(nn.Module):
    """One weight and an integer buffer."""

    def __init__(self, value: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([value], dtype=torch.float64))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))


def follow(ema: Ema, model: Counted, values: list[float]) -> None:
    for value in values:
        model.weight.data.fill_(value)
        model.count += 1
        ema.update(model)


def test_the_average_is_the_weighted_sum_of_all_weights_so_far():
    values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0]
    model = Counted(100.0)
    ema = Ema(model, power=0.75, maximum=0.6)
    follow(ema, model, values)
    decays = [min(0.6, 1.0 - (1.0 + n) ** -0.75) for n in range(len(values))]
    expected = 100.0 * np.prod(decays)
    for i, value in enumerate(values):
        expected += value * (1.0 - decays[i]) * np.prod(decays[i + 1 :])
    assert float(ema.weights["weight"]) == pytest.approx(expected)
    assert int(ema.weights["count"]) == len(values)


def test_the_first_update_takes_the_weights_over_so_that_no_random_start_is_left():
    model = Counted(100.0)
    ema = Ema(model, power=0.75, maximum=0.998)
    follow(ema, model, [2.0])
    assert float(ema.weights["weight"]) == 2.0


def test_the_decay_rises_to_its_maximum_and_stays_there():
    model = Counted(0.0)
    ema = Ema(model, power=0.75, maximum=0.9)
    decays = []
    for _ in range(40):
        decays.append(ema.decay)
        ema.update(model)
    assert decays[0] == 0.0 and decays[-1] == 0.9
    assert np.all(np.diff(decays) >= 0.0)


def test_a_saved_average_goes_on_as_if_never_stopped():
    values = [1.0, 2.0, -3.0, 5.0, 8.0]
    model = Counted(0.0)
    whole = Ema(model, 0.75, 0.9)
    follow(whole, model, values)
    first_model = Counted(0.0)
    first = Ema(first_model, 0.75, 0.9)
    follow(first, first_model, values[:2])
    second = Ema(first_model, 0.75, 0.9)
    second.load_state_dict(first.state_dict())
    follow(second, first_model, values[2:])
    assert float(second.weights["weight"]) == float(whole.weights["weight"])
    assert second.step == whole.step == 5


def test_the_average_is_not_touched_by_later_changes_of_the_model():
    model = Counted(1.0)
    ema = Ema(model, 0.75, 0.9)
    model.weight.data.fill_(50.0)
    assert float(ema.weights["weight"]) == 1.0
