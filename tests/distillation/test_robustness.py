from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from examples.benchmarks.data import load
from examples.benchmarks.robustness import (
    ATTACKERS,
    ATTACKS,
    ClippedCrossEntropy,
    Margin,
    Robustness,
    evaluate,
    plot,
    table,
)
from flwr_chainfl.distillation import defensive_distillation
from flwr_chainfl.errors import ConfigError


def distilled(temperature):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    train, _ = load("digits", Path())
    defensive_distillation(
        model, train.images, train.labels, temperature=temperature, epochs=12, learning_rate=0.03, batch_size=64
    )  # fmt: skip
    return model


def test_distillation_hides_the_gradient_from_naive_attackers_and_not_from_an_adaptive_one():
    _, test = load("digits", Path())
    plain = evaluate(distilled(1.0), 1.0, test, attacked=100)
    defended = evaluate(distilled(100.0), 100.0, test, attacked=100)
    assert defended.accuracy > 0.9
    assert plain.masked["logits"] == plain.masked["adaptive"] == defended.masked["adaptive"] == 0
    for naive in ("outputs", "logits"):
        assert defended.masked[naive] > 0.85
        assert defended.success[naive]["FGSM 0.3"] < 0.15
        assert defended.success[naive]["PGD-40"] < 0.25
    for attack in ("FGSM 0.3", "PGD-40"):
        assert plain.success["logits"][attack] > 0.9
        assert defended.success["adaptive"][attack] > 0.9


def test_the_margin_is_the_best_other_logit_less_the_label_s_by_hand():
    logits = torch.tensor([[3.0, 1.0, -2.0], [0.0, 5.0, 4.5]], requires_grad=True)
    loss = Margin()(logits, torch.eye(3)[[0, 2]])
    loss.backward()
    assert float(loss.detach()) == pytest.approx((1 - 3) + (5 - 4.5))
    assert logits.grad.tolist() == [[-1, 1, 0], [0, 1, -1]]


def test_clipped_cross_entropy_stands_still_where_the_label_is_sure():
    logits = torch.tensor([[1.0, 0.0], [20.0, 0.0]], requires_grad=True)
    loss = ClippedCrossEntropy()(logits, torch.eye(2)[[0, 0]])
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.31326, abs=1e-4)
    assert logits.grad[0].tolist() == pytest.approx([-0.26894, 0.26894], abs=1e-4)
    assert logits.grad[1].tolist() == [0, 0]


def test_attacking_a_model_that_is_never_right_is_refused():
    _, test = load("digits", Path())
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.eye(10)[3])
    with pytest.raises(ConfigError, match="attacked images is 0; it must be 1 or more"):
        evaluate(model, 1.0, test.rows(np.flatnonzero(test.labels != 3)), attacked=10)


def test_the_table_and_the_plot_hold_a_row_a_temperature(tmp_path):
    shares = [0.25, 0.5, 1.0]
    rows = [
        Robustness(
            temperature, 0.98, 0.125, dict(zip(ATTACKERS, shares, strict=True)),
            {who: dict.fromkeys(ATTACKS, share / temperature) for who, share in zip(ATTACKERS, shares, strict=True)},
        )
        for temperature in (1.0, 20.0)
    ]  # fmt: skip
    assert table(rows).splitlines()[2:] == [
        "| 1 | 98.0 | 25.0 / 50.0 / 100.0 | " + " | ".join(["25.0 / 50.0 / 100.0"] * 5) + " | 12.5 |",
        "| 20 | 98.0 | 25.0 / 50.0 / 100.0 | " + " | ".join(["1.2 / 2.5 / 5.0"] * 5) + " | 12.5 |",
    ]
    plot(tmp_path / "made" / "robustness.png", rows)
    assert (tmp_path / "made" / "robustness.png").read_bytes()[:4] == b"\x89PNG"
