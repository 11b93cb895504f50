import io
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import (
    AddressError,
    ConfigError,
    ContentMismatchError,
    ContentNotFoundError,
    ContentTooLargeError,
    StorageError,
)
from flwr_chainfl.storage import FolderStore, Store, address, open_store
from tests.storage.conftest import Backend

MIB = 1 << 20


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=2000))
def test_what_is_stored_comes_back_by_its_address(store: Store, data: bytes) -> None:
    assert store.put(data) == address(data)
    assert store.get(address(data)) == data


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB + 5])
def test_the_same_bytes_have_the_same_address_in_every_store_and_come_back(store: Store, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    assert store.put(data[:size]) == address(data[:size])
    assert store.get(address(data[:size])) == data[:size]


@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB, 5 * MIB + 7])
def test_a_content_that_is_too_large_to_be_added_is_imported_with_the_same_address(
    backend: Backend, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nodes link more than 174 chunks in another way, unless they are given the tree.
    monkeypatch.setattr("flwr_chainfl.storage.ipfs._ADDED_BYTES", MIB)
    store = backend.open()
    before = backend.collect()
    data = os.urandom(size)
    cid = store.put(data)
    assert cid == address(data)
    assert backend.collect() == before + 1
    assert store.is_pinned(cid)
    assert store.get(cid) == data
    store.unpin(cid)


def test_a_file_is_stored_and_fetched_a_chunk_at_a_time(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(MIB) * 24)
    with file.open("rb") as source, (tmp_path / "again").open("w+b") as target:
        target.write(b"before")
        source.seek(5)  # a file is stored from its beginning, wherever it stands
        tracemalloc.start()
        cid = store.put_file(source)
        store.get_file(cid, target)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert cid == address(file.read_bytes())
    assert (tmp_path / "again").read_bytes() == b"before" + file.read_bytes()
    assert peak < 8 * MIB


def test_what_is_put_is_pinned_until_it_is_unpinned(backend: Backend) -> None:
    store = backend.open()
    before = backend.collect()
    cid = store.put(b"of round 1")
    kept = store.put(b"terms")
    assert store.is_pinned(cid)
    assert backend.collect() == before + 2
    store.unpin(cid)
    store.unpin(cid)
    assert not store.is_pinned(cid)
    assert backend.collect() == before + 1
    with pytest.raises(ContentNotFoundError):
        store.get(cid)
    with pytest.raises(ContentNotFoundError):
        store.pin(cid)
    store.pin(kept)
    assert store.get(kept) == b"terms"
    assert store.put(b"of round 1") == cid
    assert store.is_pinned(cid)
    store.unpin(cid)
    store.unpin(kept)


def test_a_large_content_is_pinned_and_let_go_as_a_whole(backend: Backend) -> None:
    store = backend.open()
    before = backend.collect()
    cid = store.put(os.urandom(2 * MIB + 1))
    assert backend.collect() == before + 1
    assert len(store.get(cid)) == 2 * MIB + 1
    store.unpin(cid)
    assert backend.collect() == before


def test_more_than_the_store_takes_is_refused_both_ways(backend: Backend) -> None:
    cid = backend.open().put(b"0123456789")
    small = backend.open(max_bytes=9)
    target = io.BytesIO(b"before")
    target.seek(0, io.SEEK_END)
    for refused in (
        lambda: small.put(b"0123456789"),
        lambda: small.get(cid, max_bytes=100),
        lambda: small.get_file(cid, target),
        lambda: backend.open().get(cid, max_bytes=9),
        lambda: backend.open().get_file(cid, target, max_bytes=9),
    ):
        with pytest.raises(ContentTooLargeError, match="more than 9 bytes, .*; allow more with max_bytes"):
            refused()
    assert target.getvalue() == b"before"
    assert backend.open(max_bytes=10).get(cid) == b"0123456789"


def test_a_store_is_opened_again_by_its_location(store: Store) -> None:
    cid = store.put(b"found again")
    again = open_store(store.location)
    assert type(again) is type(store)
    assert again.get(cid) == b"found again"


@pytest.mark.parametrize("location", ["", "folder:", "ipfs:", "s3:bucket", "/tmp/store", "ipfs:127.0.0.1:5001", "ipfs:http://"])
def test_what_is_no_store_is_an_error_that_names_the_possible_ones(location: str) -> None:
    with pytest.raises(ConfigError, match="use '(folder:PATH' or 'ipfs:)?http://HOST:5001'"):
        open_store(location)


def test_storing_again_changes_nothing(store: Store) -> None:
    assert store.put(b"labels") == store.put(b"labels")
    assert store.get(address(b"labels")) == b"labels"


def test_nothing_under_an_address_is_an_error_that_names_it(store: Store) -> None:
    cid = address(b"never stored")
    with pytest.raises(ContentNotFoundError, match=f"^{cid} is not in .*; ") as missing:
        store.get(cid)
    assert isinstance(missing.value, KeyError)


@pytest.mark.parametrize("cid", ["", "../../etc/passwd", "labels"])
def test_what_is_no_address_is_refused(store: Store, cid: str) -> None:
    for refused in (store.get, store.pin, store.unpin, store.is_pinned):
        with pytest.raises(AddressError):
            refused(cid)


def test_concurrent_puts_of_the_same_content_all_succeed(store: Store) -> None:
    data = bytes(100_000)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: store.put(data), range(32))) == {address(data)}
    assert store.get(address(data)) == data


def test_content_changed_in_the_folder_is_not_returned(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    cid = store.put(b"labels")
    (file,) = _files(tmp_path)
    file.write_bytes(b"forged")
    with pytest.raises(ContentMismatchError, match=f"{cid} does not hold the content of its name"):
        store.get(cid)
    with pytest.raises(ContentMismatchError, match="delete the file and try again"):
        store.put(b"labels")


def test_another_process_finds_what_was_stored(tmp_path: Path) -> None:
    cid = FolderStore(tmp_path).put(b"labels")
    assert FolderStore(str(tmp_path)).get(cid) == b"labels"


def test_a_put_leaves_one_file_and_nothing_else(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put(b"labels")
    cid = store.put(b"labels")
    assert [file.name for file in _files(tmp_path)] == [cid]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file/store cannot be written \(Not a directory\); choose another folder"):
        FolderStore(tmp_path / "file" / "store")


def test_a_put_into_a_folder_that_has_gone_is_a_storage_error(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (tmp_path / "store").rmdir()
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        store.put(b"labels")
