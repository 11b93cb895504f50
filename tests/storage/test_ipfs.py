"""Nodes that fail or lie; what honest nodes do is in test_stores.py, on a real one."""

import base64
import io
import json
import socket
from collections.abc import Callable, Iterable, Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import (
    ConfigError,
    ContentMismatchError,
    ContentNotFoundError,
    ContentTooLargeError,
    StorageError,
    StoreUnreachableError,
)
from flwr_chainfl.storage import IpfsStore, address

DATA = b"the model of round 3" * 100
CID = address(DATA)


class Bytes(httpx.SyncByteStream):
    """A reply that comes in parts."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts


def _streamed(reply: httpx.Response) -> httpx.Response:
    """Return a reply as it comes from a network, not read yet."""
    return httpx.Response(reply.status_code, headers=reply.headers, stream=Bytes([reply.content]))


class Node(httpx.BaseTransport):
    """What a node answers; `failures` go first, one a request after the opening.

    content: parts of what it gives for every address; stored: the address it claims after an `add`
    """

    def __init__(self, content: Callable[[], Iterable[bytes]] = lambda: [DATA], stored: str = CID) -> None:
        self.content = content
        self.stored = stored
        self.failures: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return _streamed(failure)
        command = request.url.path.removeprefix("/api/v0/")
        if command == "cat":
            return httpx.Response(200, stream=Bytes(self.content()))
        return _streamed(httpx.Response(200, json={"Version": "0.40.0", "Hash": self.stored}))


def _open(node: httpx.BaseTransport, **options: object) -> IpfsStore:
    options = {"sleep": lambda _: None, **options}
    return IpfsStore("http://node.test:5001", transport=node, **options)  # type: ignore[arg-type]


def _refusal(reason: str) -> httpx.Response:
    return httpx.Response(500, json={"Message": reason, "Code": 0, "Type": "error"})


@settings(max_examples=25)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255), st.booleans())
def test_a_node_that_gives_other_bytes_is_found_out(position: int, change: int, cut: bool) -> None:
    forged = DATA[:position] if cut else DATA[:position] + bytes([DATA[position] ^ change]) + DATA[position + 1 :]
    store = _open(Node(lambda: [forged]))
    target = io.BytesIO()
    for refused in (lambda: store.get(CID), lambda: store.get_file(CID, target)):
        with pytest.raises(ContentMismatchError, match=r"http://node.test:5001 gave other bytes .*; use another node"):
            refused()
    assert target.getvalue() == b""


def test_a_node_that_stores_under_another_address_is_found_out() -> None:
    for stored in (address(b"something else"), "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "", CID.upper()):
        with pytest.raises(ContentMismatchError, match=f"stored {CID} as '{stored}'; let it use CIDv1, raw leaves"):
            _open(Node(stored=stored)).put(DATA)


def test_a_node_that_gives_without_end_is_cut_off() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield bytes(1000)

    with pytest.raises(ContentTooLargeError):
        _open(Node(endless), max_bytes=100_000).get(CID)
    assert sent <= 101_000


def test_a_node_that_only_trickles_counts_as_one_that_does_not_answer() -> None:
    node = Node(lambda: [DATA[i : i + 1] for i in range(len(DATA))])
    store = _open(node)
    store._deadline = 1e-9
    with pytest.raises(StoreUnreachableError, match=r"not done in 1e-09 s; 4 tries"):
        store.get(CID)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("cut off"),
        httpx.Response(503),
        httpx.Response(429),
    ],
)
def test_a_node_that_fails_for_a_while_is_asked_again_with_growing_waits(failure: httpx.Response | Exception) -> None:
    waits: list[float] = []
    node = Node()
    store = _open(node, sleep=waits.append, backoff=0.25, attempts=4)
    node.failures = [failure] * 3
    assert store.put(DATA) == CID
    assert len(waits) == 3
    assert all(0.125 * 2**i <= wait <= 0.25 * 2**i for i, wait in enumerate(waits))
    bodies = [request.content for request in node.requests[1:]]
    assert len(bodies) == 4
    assert all(DATA in body for body in bodies)  # a try sends all again


def test_an_import_that_fails_is_sent_again_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flwr_chainfl.storage.ipfs._ADDED_BYTES", 0)
    root = {"Cid": {"/": CID}, "PinErrorMsg": ""}
    node = Node()
    store = _open(node)
    node.failures = [httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(200, json={"Root": root})]
    assert store.put(DATA) == CID
    bodies = [request.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n", 2)[0] for request in node.requests[1:]]
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0].endswith(DATA)
    node.failures = [httpx.Response(200, json={"Root": {**root, "PinErrorMsg": "no space left"}})]
    with pytest.raises(StorageError, match=f"did not pin {CID} .*no space left"):
        store.put(DATA)


def test_a_node_that_fails_for_good_is_an_error_that_says_what_to_start() -> None:
    node = Node()
    store = _open(node, attempts=3)
    node.failures = [httpx.ConnectError("refused")] * 3
    with pytest.raises(
        StoreUnreachableError, match=r"^no IPFS node answers at http://node.test:5001 \(refused; 3 tries\); start one"
    ) as error:
        store.get(CID)
    assert isinstance(error.value, ConnectionError)


def test_a_reply_that_is_cut_off_is_fetched_again_from_its_beginning() -> None:
    def once_cut() -> Iterator[bytes]:
        yield DATA[:700]
        if len([r for r in node.requests if r.url.path.endswith("cat")]) == 1:
            raise httpx.ReadError("connection lost")
        yield DATA[700:]

    node = Node(once_cut)
    target = io.BytesIO()
    _open(node).get_file(CID, target)
    assert target.getvalue() == DATA


def test_where_nothing_listens_opening_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StoreUnreachableError, match=rf"no IPFS node answers at {url} .*; start one \(ipfs daemon\) or correct"):
            IpfsStore(url, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(404), "does not know version .*; name the RPC of a Kubo node"),
        (httpx.Response(200, text="<html>"), "is no Kubo RPC; correct the address"),
        (httpx.Response(200, json=[1]), "is no Kubo RPC; correct the address"),
        (httpx.Response(200, content=b" " * 70_000), "is no Kubo RPC; correct the address"),
        (httpx.Response(403), "refuses access .*; put user and password into the address"),
    ],
)
def test_what_is_no_ipfs_node_or_a_closed_one_is_an_error_at_once(answer: httpx.Response, message: str) -> None:
    node = Node()
    node.failures = [answer]
    with pytest.raises(StorageError, match=message):
        _open(node)
    assert len(node.requests) == 1


@pytest.mark.parametrize(
    "reason",
    [
        "block was not found locally (offline): ipld: could not find bafk",  # Kubo, offline
        "context deadline exceeded",  # Kubo, when it looked for the time that it was given
        "Failed to get block stats: request timed out",  # js-ipfs
    ],
)
def test_a_content_that_a_node_does_not_find_is_not_found(reason: str) -> None:
    node = Node()
    store = _open(node)
    node.failures = [_refusal(reason)]
    with pytest.raises(ContentNotFoundError, match=f"^{CID} is not in the node at .*; connect it to whoever published it"):
        store.get(CID)


def test_any_other_refusal_is_quoted_and_not_tried_again() -> None:
    node = Node()
    store = _open(node)
    for refused in (store.get, store.unpin, store.is_pinned, store.pin, lambda _: store.put(DATA)):
        node.requests.clear()
        node.failures = [_refusal("no space left on device")]
        with pytest.raises(StorageError, match=r"refused .*: no space left on device"):
            refused(CID)
        assert len(node.requests) == 1


def test_a_password_is_sent_to_the_node_and_shown_nowhere() -> None:
    node = Node()
    store = IpfsStore("http://me:secret@node.test:5001", transport=node, attempts=1)
    sent = node.requests[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"me:secret"
    node.failures = [httpx.ConnectError("refused")]
    with pytest.raises(StoreUnreachableError) as error:
        store.get(CID)
    with pytest.raises(ConfigError) as wrong:
        IpfsStore("ftp://me:secret@node.test")
    for shown in (repr(store), store.location, str(error.value), str(wrong.value)):
        assert "secret" not in shown
    assert store.location == "ipfs:http://node.test:5001"


@pytest.mark.parametrize("name", ["timeout", "deadline", "attempts", "max_bytes"])
def test_an_impossible_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0; it must be above 0"):
        _open(Node(), **{name: 0})


def test_a_node_s_last_word_counts() -> None:
    # Kubo reports progress, one JSON object a line, where it does not heed progress=false.
    node = Node()
    store = _open(node)
    lines = "\n".join(json.dumps(entry) for entry in ({"Bytes": 10}, {"Hash": CID}))
    node.failures = [httpx.Response(200, text=lines + "\n")]
    assert store.put(DATA) == CID
