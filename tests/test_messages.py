import io
from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from flwr_chainfl.errors import PublicSetError, ReportError
from flwr_chainfl.messages import (
    ConsensusTerms,
    RoundTerms,
    only_metrics,
    pack_array,
    payload_bytes,
    read_terms,
    unpack_array,
    without_terms,
    write_terms,
)

ROUND = RoundTerms(
    exchange="weights", round_number=3, chain_id=31337, task="0x" + "11" * 20, token="0x" + "22" * 20,
    token_name="token", token_version="1", stake=str(2**90), deadline=9, nonce=0, seed=-1, simulated=True,
    clipped=False, arrays_key="arrays",
)
CONSENSUS = ConsensusTerms(
    public_set="bafy", public_data=b"", public_bytes=False, classes=10, consensus_round=0, consensus=b"\0\1",
    consensus_base=0, consensus_bits=8, report_bits=1, report_base=2, correction="none", epochs=1, learning_rate=0.1, batch_size=32, temperature=2.0, weight=0.5,
)


def test_terms_come_back_from_the_record_that_carries_them() -> None:
    record = write_terms(ConfigRecord({"lr": 0.5}), ROUND, CONSENSUS)
    assert read_terms(RoundTerms, record) == ROUND
    assert read_terms(ConsensusTerms, record) == CONSENSUS


def test_terms_leave_the_record_that_they_are_added_to_alone() -> None:
    record = ConfigRecord({"lr": 0.5})
    write_terms(record, ROUND)
    assert dict(record) == {"lr": 0.5}


def test_a_user_s_function_sees_its_own_keys_only() -> None:
    assert dict(without_terms(write_terms(ConfigRecord({"lr": 0.5}), ROUND, CONSENSUS))) == {"lr": 0.5}


def test_a_record_without_terms_has_none() -> None:
    assert read_terms(RoundTerms, ConfigRecord({"lr": 0.5})) is None
    assert read_terms(ConsensusTerms, write_terms(ConfigRecord(), ROUND)) is None


def test_terms_of_another_version_are_an_error_that_names_what_lacks() -> None:
    record = write_terms(ConfigRecord(), ROUND)
    del record["chainfl.deadline"], record["chainfl.token-name"]
    with pytest.raises(ReportError, match=r"lacks chainfl.token-name, chainfl.deadline; .*same flwr-chainfl version"):
        read_terms(RoundTerms, record)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool"])
def test_an_array_comes_back_and_packs_alike_in_any_memory_order(dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    assert (unpack_array(pack_array(array)) == array).all()
    assert unpack_array(pack_array(array)).dtype == array.dtype
    assert pack_array(np.asfortranarray(array)) == pack_array(array)


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


ARRAY = pack_array(np.zeros(5))
OTHERS = {
    "nothing": b"",
    "text": b"no array",
    "cut off": ARRAY[:-1],
    "no header": b"\x93NUMPY",
    "no zip file": b"PK\x03\x04",
    "several arrays": _saved(lambda file: np.savez(file, np.zeros(5))),
    "pickled": _saved(lambda file: np.save(file, np.array([{"code": 1}], dtype=object), allow_pickle=True)),
    "too large": ARRAY.replace(b"(5,)", b"(9999999999999,)"[:16]).replace(b" " * 12, b"", 1),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_bytes_that_are_no_array_are_an_error_that_counts_them(data: bytes) -> None:
    with pytest.raises(PublicSetError, match=f"^{len(data)} bytes are no .npy array"):
        unpack_array(data)


def test_a_payload_counts_what_its_records_hold() -> None:
    array = Array(np.zeros(4, dtype=np.float32))
    content = RecordDict(
        {
            "arrays": ArrayRecord({"w": array}),
            "metrics": MetricRecord({"loss": 1.0, "lists": [1, 2]}),
            "config": ConfigRecord({"blob": b"123", "name": "ab", "names": ["x", "yz"], "flag": True}),
        }
    )
    expected = (1 + len(array.data)) + (4 + 8) + (5 + 16) + (4 + 3) + (4 + 2) + (5 + 3) + (4 + 8)
    assert payload_bytes(content) == expected


def test_the_one_metric_record_of_a_reply_is_found() -> None:
    metrics = MetricRecord({"num-examples": 30, "loss": 0.5})
    assert only_metrics(RecordDict({"anything": metrics, "config": ConfigRecord()})) is metrics


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_metric_records_is_refused(count: int) -> None:
    content = RecordDict({str(i): MetricRecord({"num-examples": 1}) for i in range(count)})
    with pytest.raises(ReportError, match=f"has {count} MetricRecords; Flower's aggregation needs exactly 1"):
        only_metrics(content)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), [1, 2]])
def test_an_unusable_number_of_examples_is_refused_by_value(weight: object) -> None:
    with pytest.raises(ReportError, match="metric 'num-examples' is .*; a number of examples, 0 or more, is needed"):
        only_metrics(RecordDict({"metrics": MetricRecord({"num-examples": weight})}))


def test_a_missing_number_of_examples_is_refused() -> None:
    with pytest.raises(ReportError, match="metric 'num-examples' is None"):
        only_metrics(RecordDict({"metrics": MetricRecord({"loss": 1.0})}))
    assert only_metrics(RecordDict({"metrics": MetricRecord({"weight": 1})}), key="weight")


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")]])
def test_a_metric_that_is_not_finite_is_refused_by_name(value: object) -> None:
    with pytest.raises(ReportError, match="metric 'loss' is .*; metrics must be finite"):
        only_metrics(RecordDict({"metrics": MetricRecord({"num-examples": 1, "loss": value})}))
