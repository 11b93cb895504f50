import numpy as np
import pytest
import torch
from torch import nn

from flwr_chainfl.distillation import (
    active_consensus,
    class_count,
    consensus_term,
    distill,
    distillation_loss,
    load_arrays,
    predict,
    seed_torch,
    state_arrays,
)
from flwr_chainfl.errors import ModelError, PublicSetError


def linear(classes=3, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(4, classes)


def inputs(count=30):
    return np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)


def one_hot(labels, classes=3):
    return np.eye(classes, dtype=np.float32)[labels]


def test_the_loss_is_the_divergence_by_hand():
    p, q = torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[0.2, 0.3, 0.5]])
    by_hand = float((p * (p / q).log()).sum())
    assert float(distillation_loss(q.log(), p, temperature=1.0)) == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_zero_for_a_student_that_agrees(temperature):
    p = torch.softmax(torch.randn(5, 4), dim=1)
    assert float(distillation_loss(p.log(), p, temperature=temperature)) == pytest.approx(0, abs=1e-5)


def test_temperature_softens_the_teacher_as_it_softens_logits():
    logits, teacher = torch.randn(6, 4), torch.randn(6, 4)
    soft = torch.softmax(teacher / 3, dim=1)
    by_hand = 9 * float((soft * (soft.log() - torch.log_softmax(logits / 3, dim=1))).sum(dim=1).mean())
    found = distillation_loss(logits, torch.softmax(teacher, dim=1), temperature=3.0)
    assert float(found) == pytest.approx(by_hand, rel=1e-4)


def test_a_model_learns_the_soft_labels_it_is_taught():
    model, x = linear(), inputs()
    labels = (x[:, 0] > 0).astype(int)
    first = distill(model, x, one_hot(labels), epochs=1, learning_rate=0.05, batch_size=8, temperature=1.0)
    last = distill(model, x, one_hot(labels), epochs=40, learning_rate=0.05, batch_size=8, temperature=1.0)
    assert last < first / 3
    assert (predict(model, x).argmax(axis=1) == labels).mean() > 0.95


def test_no_epochs_leave_the_model_alone():
    model = linear()
    before = state_arrays(model)
    distill(model, inputs(), one_hot([0] * 30), epochs=0, learning_rate=1.0, batch_size=8, temperature=1.0)
    assert all((before[name] == value).all() for name, value in state_arrays(model).items())


def test_predictions_are_distributions_and_keep_the_training_mode():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train()
    found = predict(model, inputs(1000))
    assert found.shape == (1000, 3)
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert model.training
    assert (found == predict(model, inputs(1000))).all()


def test_a_model_whose_output_is_no_row_of_logits_is_refused():
    with pytest.raises(ModelError, match=r"\(1, 1, 3\)"):
        class_count(nn.Sequential(nn.Linear(4, 3), nn.Unflatten(1, (1, 3))), inputs())


def test_inputs_that_the_model_cannot_take_are_named_with_their_shape():
    with pytest.raises(PublicSetError, match=r"shape \(5,\) and type float32"):
        class_count(linear(), np.zeros((2, 5), np.float32))


def test_arrays_of_another_architecture_are_refused():
    with pytest.raises(ModelError, match="Linear.*same architecture"):
        load_arrays(linear(3), dict(state_arrays(linear(4))))


def test_a_state_survives_the_round_trip():
    one, other = linear(seed=1), linear(seed=2)
    load_arrays(other, dict(state_arrays(one)))
    assert (predict(one, inputs()) == predict(other, inputs())).all()


def test_the_term_is_zero_without_a_consensus_and_adds_no_gradient():
    model = linear()
    term = consensus_term(model)
    assert float(term) == 0
    assert not term.requires_grad


def test_the_term_is_the_weighted_divergence_from_the_consensus():
    model, x = linear(), inputs(1)
    target = one_hot([2])
    with active_consensus(x, target, weight=2.5, temperature=1.0, batch_size=1):
        term = float(consensus_term(model).detach())
    expected = 2.5 * -np.log(predict(model, x)[0, 2])
    assert term == pytest.approx(expected, rel=1e-4)
    assert float(consensus_term(model)) == 0


def test_the_term_pulls_a_model_to_the_consensus():
    model, x = linear(), inputs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    with active_consensus(x, one_hot([1] * 30), weight=1.0, temperature=1.0, batch_size=16):
        for _ in range(60):
            optimizer.zero_grad()
            consensus_term(model).backward()
            optimizer.step()
    assert (predict(model, x).argmax(axis=1) == 1).all()


def test_one_seed_gives_one_sequence():
    seed_torch(2**64 - 1)
    first = torch.rand(3)
    seed_torch(2**64 - 1)
    assert (torch.rand(3) == first).all()
