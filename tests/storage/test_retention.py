import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.storage import FolderStore, RoundStore
from flwr_chainfl.storage.retention import expired


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 20)), st.integers(1, 30), st.integers(1, 5))
def test_exactly_the_last_rounds_and_what_came_before_the_first_are_kept(
    last_used: dict[str, int], round_number: int, keep_rounds: int
) -> None:
    kept_rounds = {0, *range(round_number - keep_rounds + 1, 21)}
    gone = expired(last_used, round_number, keep_rounds)
    assert {last_used[cid] for cid in last_used.keys() - gone} <= kept_rounds
    assert not {last_used[cid] for cid in gone} & kept_rounds


def test_a_long_run_pins_no_more_than_its_last_rounds(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    store = RoundStore(folder, keep_rounds=2)
    terms = store.put(b"terms")
    cids = []
    for round_number in range(1, 30):
        store.begin_round(round_number)
        cids.append(store.put(b"model %d" % round_number))
        assert sum(file.is_file() for file in tmp_path.rglob("*")) <= 3
    assert [cid for cid in cids if store.is_pinned(cid)] == cids[-2:]
    assert store.get(terms) == b"terms"


def test_what_is_used_again_is_kept_as_if_it_were_new(tmp_path: Path) -> None:
    store = RoundStore(FolderStore(tmp_path), keep_rounds=2)
    store.begin_round(1)
    put, read, pinned, copied, idle = (store.put(name) for name in (b"put", b"read", b"pinned", b"copied", b"idle"))
    store.begin_round(2)
    store.put_file(io.BytesIO(b"put"))
    store.get(read)
    store.pin(pinned)
    store.get_file(copied, io.BytesIO())
    store.begin_round(3)
    assert [store.is_pinned(cid) for cid in (put, read, pinned, copied, idle)] == [True, True, True, True, False]
    store.begin_round(4)
    assert not any(store.is_pinned(cid) for cid in (put, read, pinned, copied))


def test_what_others_put_is_not_let_go_for_being_read(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    cid = folder.put(b"of another run")
    store = RoundStore(folder, keep_rounds=1)
    store.begin_round(1)
    store.get(cid)
    store.begin_round(9)
    assert folder.is_pinned(cid)


def test_keeping_no_round_is_an_error_that_says_how_to_keep_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep_rounds is 0; it must be 1 or more, or None to keep everything"):
        RoundStore(FolderStore(tmp_path), keep_rounds=0)
