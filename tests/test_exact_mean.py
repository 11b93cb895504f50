import subprocess
import sys

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError, ReportShapeError
from flwr_chainfl.exact_mean import LARGEST, ExactMean, in_units
from flwr_chainfl.storage import address
from flwr_chainfl.weights import pack_weights


def _model(values: np.ndarray) -> ArrayRecord:
    return ArrayRecord({"w": Array(values)})


def _models(count: int, seed: int = 0) -> list[ArrayRecord]:
    generator = np.random.default_rng(seed)
    return [
        ArrayRecord({
            "w": Array(generator.normal(size=(40, 30)).astype(np.float32)),
            "steps": Array(np.array(generator.integers(0, 90), dtype=np.int64)),
        })
        for _ in range(count)
    ]  # fmt: skip


def test_the_mean_is_weighted_by_samples_or_uniform() -> None:
    models = [_model(np.array([0.0, 4.0], dtype=np.float32)), _model(np.array([4.0, 0.0], dtype=np.float32))]
    before = _model(np.array([8.0, 8.0], dtype=np.float32))
    assert ExactMean().mean(models, [3, 1], before)["w"].numpy().tolist() == [1, 3]
    assert ExactMean(uniform=True).mean(models, [3, 1], before)["w"].numpy().tolist() == [2, 2]
    assert ExactMean(mixing=0.25).mean(models, [3, 1], before)["w"].numpy().tolist() == [6.25, 6.75]


def test_nobody_accepted_leaves_the_model_as_it_was() -> None:
    before = _models(1)[0]
    assert pack_weights(ExactMean().mean([], [], before)) == pack_weights(before)


@given(st.permutations(range(6)), st.lists(st.integers(1, 2**63 - 1) | st.integers(1, 5000), min_size=6, max_size=6))
def test_the_bytes_do_not_depend_on_the_order(order: list[int], samples: list[int]) -> None:
    models, before = _models(6), _models(1, seed=9)[0]
    expected = pack_weights(ExactMean(mixing=0.7).mean(models, samples, before))
    shuffled = ExactMean(mixing=0.7).mean([models[i] for i in order], [samples[i] for i in order], before)
    assert pack_weights(shuffled) == expected


def test_the_mean_is_as_near_to_the_floating_one_as_the_grid_allows() -> None:
    models, samples = _models(12), list(range(1, 13))
    exact = ExactMean().mean(models, samples, models[0])["w"].numpy()
    floating = np.average([m["w"].numpy().astype(np.float64) for m in models], axis=0, weights=samples)
    assert np.abs(exact - floating).max() < 2.0**-23
    assert exact.dtype == np.float32


def test_other_processes_with_other_threads_find_the_same_bytes() -> None:
    program = (
        "from tests.test_exact_mean import _models; from flwr_chainfl.exact_mean import ExactMean;"
        "from flwr_chainfl.weights import pack_weights; from flwr_chainfl.storage import address;"
        "print(address(pack_weights(ExactMean().mean(_models(9), range(1, 10), _models(1)[0]))))"
    )
    mine = address(pack_weights(ExactMean().mean(_models(9), range(1, 10), _models(1)[0])))
    for threads, features in (("1", "AVX2 FMA3 AVX512F"), ("4", "")):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": ":".join(sys.path)}
        if features:
            environment["NPY_DISABLE_CPU_FEATURES"] = features
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == mine


@pytest.mark.parametrize("value", [LARGEST * 1.01, -LARGEST * 2.0, float("nan"), float("inf")])
def test_a_parameter_out_of_range_is_refused_by_name(value: float) -> None:
    with pytest.raises(ReportShapeError, match="array 'w' has a parameter that is not finite or beyond ±16384"):
        in_units("w", np.array([0.0, value], dtype=np.float32))


def test_the_largest_parameters_and_counts_do_not_overflow() -> None:
    models = [_model(np.array([sign * LARGEST], dtype=np.float32)) for sign in (1, 1, -1)]
    found = ExactMean(mixing=0.5).mean(models, [2**63 - 1] * 3, models[0])
    assert found["w"].numpy().tolist() == pytest.approx([LARGEST * (0.5 + 0.5 / 3)])


def test_a_mixing_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mixing is 0\.0; it must be above 0"):
        ExactMean(mixing=0.0)
