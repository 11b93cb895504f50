import numpy as np
import pytest

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.labels import corrected


def test_a_prior_is_divided_out():
    soft_labels = np.array([[0.8, 0.2], [0.6, 0.4]], dtype=np.float32)  # means .7 and .3
    odds = corrected(soft_labels, correction="own-mean")
    expected = [0.8 / 0.71 / (0.8 / 0.71 + 0.2 / 0.31), 0.6 / 0.71 / (0.6 / 0.71 + 0.4 / 0.31)]
    assert odds[:, 0] == pytest.approx(expected, abs=1e-6)


def test_a_model_that_was_biased_towards_a_class_says_the_same_as_before_the_bias():
    """The correction undoes a prior that a classifier's odds were multiplied by."""
    generator = np.random.default_rng(0)
    fair = generator.dirichlet([0.2] * 5, 4000)
    biased = fair * np.array([20.0, 1, 1, 1, 1])
    biased /= biased.sum(axis=1, keepdims=True)
    truth = fair.argmax(axis=1)
    before = (biased.argmax(axis=1) == truth).mean()
    after = (corrected(biased.astype(np.float32), correction="own-mean").argmax(axis=1) == truth).mean()
    assert before < 0.75
    assert after > before + 0.1


def test_equally_frequent_classes_are_left_as_they_are():
    soft_labels = np.eye(4, dtype=np.float32)[np.arange(40) % 4] * 0.9 + 0.025
    assert corrected(soft_labels, correction="own-mean") == pytest.approx(soft_labels, abs=1e-6)


def test_a_constant_report_stays_constant():
    soft_labels = np.tile(np.array([[1.0, 0.0, 0.0]], dtype=np.float32), (9, 1))
    assert (corrected(soft_labels, correction="own-mean") == soft_labels).all()


def test_none_changes_nothing_and_another_name_is_refused():
    soft_labels = np.array([[0.8, 0.2]], dtype=np.float32)
    assert corrected(soft_labels, correction="none") is soft_labels
    with pytest.raises(ConfigError, match="'histogram'.*'own-mean' and 'none'"):
        corrected(soft_labels, correction="histogram")
