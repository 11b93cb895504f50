from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from examples.benchmarks.data import load
from examples.benchmarks.robustness import ATTACKS, Margin, Robustness, evaluate, plot, table
from flwr_chainfl.distillation import defensive_distillation
from flwr_chainfl.errors import ConfigError


def distilled(temperature):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    train, _ = load("digits", Path())
    defensive_distillation(
        model, train.images, train.labels, temperature=temperature, epochs=12, learning_rate=0.01, batch_size=64
    )  # fmt: skip
    return model


def test_distillation_hides_the_gradient_from_naive_attacks_and_not_from_adaptive_ones():
    _, test = load("digits", Path())
    plain = evaluate(distilled(1.0), 1.0, test, attacked=100)
    defended = evaluate(distilled(100.0), 100.0, test, attacked=100)
    print(table([plain, defended]))
    assert defended.accuracy > 0.9
    assert plain.masked == 0
    assert defended.masked > 0.8
    for attack in ("FGSM 0.2", "FGSM 0.3"):
        assert plain.naive[attack] > 0.8
        assert defended.naive[attack] < 0.2
        assert defended.adaptive[attack] > 0.8
    assert defended.adaptive["PGD-40"] > 0.95


def test_the_margin_is_the_best_other_logit_less_the_label_s_by_hand():
    logits = torch.tensor([[3.0, 1.0, -2.0], [0.0, 5.0, 4.5]], requires_grad=True)
    loss = Margin()(logits, torch.eye(3)[[0, 2]])
    loss.backward()
    assert float(loss.detach()) == pytest.approx((1 - 3) + (5 - 4.5))
    assert logits.grad.tolist() == [[-1, 1, 0], [0, 1, -1]]


def test_attacking_a_model_that_is_never_right_is_refused():
    _, test = load("digits", Path())
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.eye(10)[3])
    with pytest.raises(ConfigError, match="attacked images is 0; it must be 1 or more"):
        evaluate(model, 1.0, test.rows(np.flatnonzero(test.labels != 3)), attacked=10)


def test_the_table_and_the_plot_hold_a_row_a_temperature(tmp_path):
    rows = [Robustness(t, 0.98, m, dict.fromkeys(ATTACKS, n), dict.fromkeys(ATTACKS, 0.99)) for t, m, n in [(1.0, 0, 0.95), (20.0, 0.9, 0.04)]]
    assert table(rows).splitlines()[2:] == [
        "| 1 | 98.0 | 0.0 | " + " | ".join(["95.0 / 99.0"] * 5) + " |",
        "| 20 | 98.0 | 90.0 | " + " | ".join(["4.0 / 99.0"] * 5) + " |",
    ]
    plot(tmp_path / "made" / "robustness.png", rows)
    assert (tmp_path / "made" / "robustness.png").read_bytes()[:4] == b"\x89PNG"
