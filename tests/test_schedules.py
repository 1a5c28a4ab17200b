"""Learning-rate schedules, and that torch's scheduler reads them as they are meant."""

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from gan_modules.schedules import constant_then_linear, linear_to_zero


@pytest.mark.parametrize(("constant", "decay"), [(100, 100), (3, 3), (0, 4), (5, 1)])
def test_constant_then_linear(constant: int, decay: int) -> None:
    rates = [constant_then_linear(constant, decay)(epoch) for epoch in range(constant + decay + 3)]
    assert rates[:constant] == [1.0] * constant
    expected = [1 - (epoch + 1) / (decay + 1) for epoch in range(decay)]
    assert rates[constant : constant + decay] == pytest.approx(expected)
    assert rates[constant + decay - 1] == pytest.approx(1 / (decay + 1))  # the last epoch still learns
    assert rates[constant + decay :] == [0.0] * 3


def test_no_decay_is_constant_for_ever() -> None:
    factor = constant_then_linear(2, 0)
    assert [factor(epoch) for epoch in (0, 1, 2, 3, 1000)] == [1.0] * 5


def test_linear_to_zero() -> None:
    factor = linear_to_zero(4)
    assert [factor(step) for step in range(7)] == [1, 0.75, 0.5, 0.25, 0, 0, 0]
    assert [linear_to_zero(None)(step) for step in (0, 10**9)] == [1, 1]


def test_a_scheduler_gives_the_first_epoch_the_first_factor() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = LambdaLR(optimizer, constant_then_linear(2, 3))
    used = []
    for _ in range(5):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert used == pytest.approx([0.5, 0.5, 0.375, 0.25, 0.125])
