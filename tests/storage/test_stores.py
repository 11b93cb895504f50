from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import AddressError, ContentMismatchError, ContentNotFoundError, StorageError
from flwr_chainfl.storage import FolderStore, Store, address

BACKENDS: dict[str, Callable[[Path], Store]] = {"folder": FolderStore}


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return BACKENDS[request.param](tmp_path / "store")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=2000))
def test_what_is_stored_comes_back_by_its_address(store: Store, data: bytes) -> None:
    assert store.put(data) == address(data)
    assert store.get(address(data)) == data


def test_content_of_several_chunks_comes_back(store: Store) -> None:
    data = bytes(range(256)) * (3 << 12) + b"the last chunk is short"
    assert store.get(store.put(data)) == data


def test_storing_again_changes_nothing(store: Store) -> None:
    assert store.put(b"labels") == store.put(b"labels")
    assert store.get(address(b"labels")) == b"labels"


def test_nothing_under_an_address_is_an_error_that_names_it(store: Store) -> None:
    cid = address(b"never stored")
    with pytest.raises(ContentNotFoundError, match=f"^{cid} is not in") as missing:
        store.get(cid)
    assert isinstance(missing.value, KeyError)


@pytest.mark.parametrize("cid", ["", "../../etc/passwd", "labels"])
def test_what_is_no_address_is_refused(store: Store, cid: str) -> None:
    with pytest.raises(AddressError):
        store.get(cid)


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
