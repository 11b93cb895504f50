import math

import numpy as np
import pytest
import torch
from torch import nn

from flwr_chainfl.distillation import (
    AtTemperature,
    defensive_distillation,
    mix_arrays,
    predict,
    proximal_distillation_loss,
    soft_targets,
    state_arrays,
    train_student,
    train_teacher,
)
from flwr_chainfl.errors import ConfigError, ModelError

TRAINING = {"epochs": 1, "learning_rate": 0.01, "batch_size": 8}


def linear(classes=3, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(4, classes)


def samples(count=30):
    inputs = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    return inputs, inputs[:, :3].argmax(axis=1)


def softmax(values, temperature):
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


# Gaps of 60 are what defended models have: a loss that clamps probabilities would get these wrong.
@pytest.mark.parametrize("logits", [[2.0, 1.0, -1.0], [60.0, -30.0, 0.0]])
@pytest.mark.parametrize(("weight", "temperature"), [(0.5, 5.0), (2.0, 1.5), (0.0, 5.0)])
def test_the_proximal_loss_is_cross_entropy_and_divergence_by_hand(logits, weight, temperature):
    global_logits = [45.0, 0.0, 10.0]
    p, q = softmax(global_logits, temperature), softmax(logits, temperature)
    divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    by_hand = -math.log(softmax(logits, 1)[0]) + weight * temperature**2 * divergence
    found = proximal_distillation_loss(
        torch.tensor([logits] * 2), torch.tensor([0, 0]), torch.tensor([global_logits] * 2),
        weight=weight, temperature=temperature,
    )  # fmt: skip
    assert float(found) == pytest.approx(by_hand, rel=1e-4, abs=1e-5)


def test_near_the_global_model_only_cross_entropy_is_left_and_no_gradient_reaches_it():
    logits, global_model = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0, 1])
    equal = proximal_distillation_loss(logits, labels, logits).detach()
    assert float(equal) == pytest.approx(float(nn.functional.cross_entropy(logits.detach(), labels)), abs=1e-5)
    proximal_distillation_loss(logits, labels, global_model).backward()
    assert global_model.grad is None
    assert logits.grad is not None


def test_soft_targets_are_the_softmax_of_divided_logits():
    model, (inputs, _) = linear(), samples(3)
    logits = model(torch.from_numpy(inputs)).tolist()
    assert np.allclose(soft_targets(model, inputs, temperature=4.0), [softmax(row, 4) for row in logits], atol=1e-6)


def test_a_step_of_the_teacher_follows_cross_entropy_at_the_temperature():
    inputs, labels = samples(8)
    ours, plain = linear(), linear()
    train_teacher(ours, inputs, labels, temperature=7.0, **TRAINING)
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    nn.functional.cross_entropy(plain(torch.from_numpy(inputs)) / 7, torch.from_numpy(labels)).backward()
    optimizer.step()
    for name, value in state_arrays(plain).items():
        assert np.allclose(state_arrays(ours)[name], value, atol=1e-5)


def test_a_student_comes_to_say_what_its_teacher_says():
    inputs, labels = samples(100)
    teacher, student = linear(seed=1), linear(seed=2)
    train_teacher(teacher, inputs, labels, temperature=5.0, epochs=5, learning_rate=0.3, batch_size=25)
    before = state_arrays(teacher)
    loss = train_student(student, teacher, inputs, temperature=5.0, epochs=25, learning_rate=0.3, batch_size=25)
    assert loss < 1e-2
    assert np.abs(predict(AtTemperature(student, 5), inputs) - predict(AtTemperature(teacher, 5), inputs)).max() < 0.1
    assert all((before[name] == value).all() for name, value in state_arrays(teacher).items())


def test_defended_logits_grow_with_the_temperature_and_the_predictions_stay_right():
    inputs, labels = samples(100)
    gaps = []
    for temperature in (1.0, 20.0):
        model = linear()
        defensive_distillation(
            model, inputs, labels, temperature=temperature, epochs=15, learning_rate=1.0, batch_size=25
        )  # fmt: skip
        assert (predict(model, inputs).argmax(axis=1) == labels).mean() > 0.95
        largest = model(torch.from_numpy(inputs)).detach().sort(dim=1).values
        gaps.append(float((largest[:, -1] - largest[:, -2]).median()))
    assert gaps[1] > 2 * gaps[0]


def test_a_wrapped_model_s_parameters_are_trained_in_place():
    model = linear()
    assert {id(p) for p in AtTemperature(model, 2.0).parameters()} == {id(p) for p in model.parameters()}


def test_mixing_is_the_weighted_mean_between_old_and_new_by_hand():
    old = {"w": np.array([[0.0, 8.0]], np.float32), "steps": np.array(10)}
    new = [
        {"w": np.array([[4.0, 0.0]], np.float32), "steps": np.array(20)},
        {"w": np.array([[8.0, 4.0]], np.float32), "steps": np.array(21)},
    ]
    mixed = mix_arrays(old, new, [300, 100], alpha=0.25)
    assert mixed["w"].tolist() == [[1.25, 6.25]]
    assert mixed["w"].dtype == np.float32
    assert (mixed["steps"], mixed["steps"].dtype) == (13, old["steps"].dtype)
    assert mix_arrays(old, new, [1, 1])["w"].tolist() == [[6.0, 2.0]]


@pytest.mark.parametrize(("local", "alpha"), [([], 1.0), ([{"w": np.ones(2)}], 0.0)])
def test_without_models_or_with_alpha_0_the_global_model_stays(local, alpha):
    old = {"w": np.array([1.5, -2.0])}
    mixed = mix_arrays(old, local, [1.0] * len(local), alpha=alpha)
    assert mixed["w"].tolist() == [1.5, -2.0]
    assert mixed["w"] is not old["w"]


@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_not_positive_is_refused_everywhere(temperature):
    inputs, labels = samples()
    z = torch.zeros(1, 3)
    for call in (
        lambda: AtTemperature(linear(), temperature),
        lambda: proximal_distillation_loss(z, torch.tensor([0]), z, temperature=temperature),
        lambda: soft_targets(linear(), inputs, temperature=temperature),
        lambda: train_student(linear(), linear(), inputs, temperature=temperature, **TRAINING),
        lambda: defensive_distillation(linear(), inputs, labels, temperature=temperature, **TRAINING),
    ):
        with pytest.raises(ConfigError, match=f"temperature is {temperature}; it must be above 0"):
            call()


def test_a_teacher_of_another_architecture_is_refused_by_name():
    with pytest.raises(ModelError, match=r"student Linear has 'weight' of shape \(3, 4\), the teacher Linear of shape \(5, 4\)"):
        train_student(linear(3), linear(5), samples()[0], temperature=5.0, **TRAINING)
    with pytest.raises(ModelError, match=r"has 'weight' of shape None, .* use the same architecture"):
        train_student(nn.Sequential(linear()), linear(), samples()[0], temperature=5.0, **TRAINING)


def test_global_logits_of_other_classes_are_refused_with_both_shapes():
    with pytest.raises(ModelError, match=r"shape \(2, 3\), the global model's are of shape \(2, 4\)"):
        proximal_distillation_loss(torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(2, 4))
    with pytest.raises(ConfigError, match=r"weight is -0.5; it must be 0 or more"):
        proximal_distillation_loss(torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(2, 3), weight=-0.5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "labels range from 0 to 3; the model's are from 0 to 2"),
        ([-1, 0, 1], "labels range from -1 to 1"),
        ([0, 1], r"3 inputs with int64 labels of shape \(2,\)"),
        ([0.0, 1.0, 2.0], "3 inputs with float64 labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ModelError, match=message):
        train_teacher(linear(), samples(3)[0], np.array(labels), temperature=5.0, **TRAINING)


@pytest.mark.parametrize("changed", [{"epochs": -1}, {"learning_rate": 0.0}, {"batch_size": 0}])
def test_training_settings_out_of_range_are_refused(changed):
    with pytest.raises(ConfigError, match="0 epochs or more, a learning rate above 0 and batches of 1 or more"):
        defensive_distillation(linear(), *samples(), temperature=5.0, **{**TRAINING, **changed})


ONE = {"w": np.ones(2)}


@pytest.mark.parametrize(
    ("local", "weights", "alpha", "error", "message"),
    [
        ([ONE], [1], 1.5, ConfigError, "alpha is 1.5; it must be from 0 to 1"),
        ([ONE], [1, 1], 1.0, ConfigError, r"1 models and weights of shape \(2,\)"),
        ([ONE, ONE], [1, -1], 1.0, ConfigError, r"weights are \[1.0, -1.0\]"),
        ([ONE], [0], 1.0, ConfigError, "one of them above 0"),
        ([ONE], [math.nan], 1.0, ConfigError, "must be finite"),
        ([ONE, {"w": np.ones(3)}], [1, 1], 1.0, ModelError, r"array 'w' of model 1 is float64 of shape \(3,\)"),
        ([{"w": np.ones(2, np.float32)}], [1], 1.0, ModelError, "'w' of model 0 is float32"),
        ([{"v": np.ones(2)}], [1], 1.0, ModelError, r"model 0 has the arrays \['v'\], the global model \['w'\]"),
        ([{"w": np.array([1.0, math.inf])}], [1], 1.0, ModelError, "'w' of model 0 is not finite"),
    ],
)
def test_arrays_and_weights_that_cannot_be_mixed_are_refused(local, weights, alpha, error, message):
    with pytest.raises(error, match=message):
        mix_arrays({"w": np.zeros(2)}, local, weights, alpha=alpha)
