"""An IPFS node as content-addressed store, over the HTTP RPC of Kubo."""

from __future__ import annotations

import io
import json
import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

import httpx

from flwr_chainfl.errors import (
    AddressError,
    ConfigError,
    ContentMismatchError,
    ContentNotFoundError,
    ContentTooLargeError,
    StorageError,
    StoreUnreachableError,
)
from flwr_chainfl.storage.archive import Archive, archive
from flwr_chainfl.storage.cid import CHUNK_BYTES, digest
from flwr_chainfl.storage.store import MAX_BYTES, bound
from flwr_chainfl.storage.transfer import measure, receive, receive_bytes, require_size

_Result = TypeVar("_Result")

# What makes a node cut, link and spell as `cid.address` does.
_PROFILE = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": f"size-{CHUNK_BYTES}",
    "cid-base": "base32",
}
_ADDED_BYTES = 174 * CHUNK_BYTES
"""Largest content that every node links as `cid.address` does: by default they give a block 174 links, not 1024."""
_REPLY_BYTES = 1 << 16  # of replies that are no content
_BUSY = (429, 502, 503, 504)
_MISSING = ("not found", "could not find", "timed out", "deadline exceeded", "context canceled")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class IpfsStore:
    """Store contents on an IPFS node. What it gives is checked against the address, so the node need not be trusted.

    A node can refuse, forget or delay; it cannot give other bytes than were asked for. It sees what is put, so seal
    what it must not read (`flwr_chainfl.crypto.seal`).

    url: of the node's RPC, ``http://HOST:5001``; a user and password in it are sent as basic authentication
    timeout: seconds that the node may be silent, and that it may look for a content
    deadline: seconds that one reply may take
    attempts: tries of a request when the node is not reached or busy; each wait is up to twice as long as the last
    backoff: seconds of the first wait, shortened at random by up to a half, so that clients do not come back together
    max_bytes: largest content taken or given
    sleep, transport: for tests and other networks

    Raises ConfigError for what is no address of a node, StoreUnreachableError when no node answers there, StorageError
    when what answers is no IPFS node.

    Source: https://docs.ipfs.tech/reference/kubo/rpc/
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:5001",
        *,
        timeout: float = 30.0,
        deadline: float = 600.0,
        attempts: int = 4,
        backoff: float = 0.25,
        max_bytes: int = MAX_BYTES,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        for name, value in {"timeout": timeout, "deadline": deadline, "attempts": attempts, "max_bytes": max_bytes}.items():
            if not value > 0:
                raise ConfigError(f"{name} is {value}; it must be above 0")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            shown = parsed.copy_with(userinfo=b"") if parsed.host else url
            raise ConfigError(f"{str(shown)!r} is no address of an IPFS node; use 'http://HOST:5001', the address of its RPC")
        auth = httpx.BasicAuth(parsed.username, parsed.password) if parsed.userinfo else None
        self._url = str(parsed.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")
        self._timeout = timeout
        self._deadline = deadline
        self._attempts = attempts
        self._backoff = backoff
        self._max_bytes = max_bytes
        self._sleep = sleep
        self._client = httpx.Client(
            auth=auth,
            headers={"Accept-Encoding": "identity"},  # replies are read raw
            transport=transport,
            trust_env=parsed.host not in _LOOPBACK,  # no proxy is asked for a node on this machine
        )
        self._finalizer = weakref.finalize(self, self._client.close)
        self.version = str(self._call("version").get("Version", "unknown"))

    def __repr__(self) -> str:
        return f"IpfsStore({self._url!r})"

    @property
    def location(self) -> str:
        """``ipfs:`` and the RPC's address."""
        return f"ipfs:{self._url}"

    def close(self) -> None:
        """Close the connections to the node; done by itself when nothing refers to the store any more."""
        self._finalizer()

    def put(self, data: bytes) -> str:
        """Store bytes on the node, pin them there, and return their content address.

        Raises ContentTooLargeError, StoreUnreachableError, ContentMismatchError when the node gives them another
        address, StorageError when it refuses.
        """
        return self.put_file(io.BytesIO(data))

    def put_file(self, source: BinaryIO) -> str:
        """Store a seekable file from its beginning, as `put` does, a chunk at a time."""
        cid = measure(source, max_bytes=self._max_bytes)
        small = source.seek(0, io.SEEK_END) <= _ADDED_BYTES
        found = self._try(lambda: self._add(source) if small else self._import(source, cid))
        if not _same(found, cid):
            raise ContentMismatchError(
                f"the node at {self._url} stored {cid} as {found!r}; let it use CIDv1, raw leaves and chunks of 1 MiB"
            )
        return cid

    def _add(self, source: BinaryIO) -> str:
        """Have the node cut and link a file; returns the address that it gives."""
        source.seek(0)
        with self._request("add", {**_PROFILE, "pin": "true", "progress": "false"}, source) as reply:
            return str(self._entry(reply, "add").get("Hash", ""))

    def _import(self, source: BinaryIO, cid: str) -> str:
        """Hand the node a file that is cut and linked already; returns the address that it pinned."""
        arguments = {"pin-roots": "true", "cid-base": "base32"}
        with self._request("dag/import", arguments, archive(source, cid)) as reply:
            root = self._entry(reply, "dag/import").get("Root")
        if not isinstance(root, dict) or not isinstance(root.get("Cid"), dict) or root.get("PinErrorMsg"):
            raise StorageError(f"the node at {self._url} did not pin {cid} ({str(root)[:300]}); look at its log")
        return str(root["Cid"].get("/", ""))

    def get(self, cid: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes of an address, from the node or from whoever it finds.

        Raises AddressError when it is no address, ContentNotFoundError when the node does not find it in time,
        ContentMismatchError when what it gives does not hash to it, ContentTooLargeError, StoreUnreachableError,
        StorageError when it refuses.
        """
        limit = bound(self._max_bytes, max_bytes)

        def cat() -> bytes:
            with self._cat(cid, limit) as parts:
                return receive_bytes(parts, cid, max_bytes=limit, whose=self._whose)

        self._find(cid)
        return self._try(cat)

    def get_file(self, cid: str, target: BinaryIO, *, max_bytes: int | None = None) -> None:
        """Write the bytes of an address into a seekable file at its position, as `get` does, a chunk at a time."""
        limit = bound(self._max_bytes, max_bytes)

        def cat() -> None:
            with self._cat(cid, limit) as parts:
                receive(parts, cid, target, max_bytes=limit, whose=self._whose)

        self._find(cid)
        self._try(cat)

    def pin(self, cid: str) -> None:
        """Let the node fetch the content of an address, where it lacks it, and keep it.

        Raises AddressError, ContentNotFoundError, StoreUnreachableError, StorageError.
        """
        self._find(cid)
        self._call("pin/add", arg=cid, recursive="true")

    def unpin(self, cid: str) -> None:
        """Let the node drop the content of an address when it next collects garbage.

        Raises AddressError, StoreUnreachableError, StorageError.
        """
        digest(cid)
        try:
            self._call("pin/rm", arg=cid, recursive="true")
        except _RefusedError as refusal:
            if "not pinned" not in refusal.reason:
                raise

    def is_pinned(self, cid: str) -> bool:
        """Whether the node keeps the content of an address. Raises AddressError, StoreUnreachableError, StorageError."""
        digest(cid)
        try:
            self._call("pin/ls", arg=cid, type="recursive")
        except _RefusedError as refusal:
            if "not pinned" not in refusal.reason:
                raise
            return False
        return True

    @property
    def _whose(self) -> str:
        return f"the node at {self._url} gave other bytes than were asked for; use another node"

    def _find(self, cid: str) -> None:
        """Have the node look for the root of a content; without a limit it would look for ever."""
        digest(cid)
        try:
            self._call("block/stat", arg=cid, timeout=f"{int(self._timeout * 900)}ms")
        except _RefusedError as refusal:
            if not any(sign in refusal.reason.lower() for sign in _MISSING):
                raise
            raise ContentNotFoundError(
                f"{cid} is not in the node at {self._url}, and it did not find it elsewhere in {self._timeout:g} s; "
                f"connect it to whoever published it"
            ) from refusal

    @contextmanager
    def _cat(self, cid: str, limit: int) -> Iterator[Iterator[bytes]]:
        # One byte more than is allowed tells that there is more.
        with self._request("cat", {"arg": cid, "length": str(limit + 1)}) as reply:
            yield self._parts(reply)

    def _call(self, command: str, **arguments: str) -> dict[str, Any]:
        """Send a command whose reply is one small object."""

        def once() -> dict[str, Any]:
            with self._request(command, arguments) as reply:
                return self._entry(reply, command)

        return self._try(once)

    def _try(self, action: Callable[[], _Result]) -> _Result:
        """Do something that may be done again, until it succeeds or the tries are used up."""
        wait = self._backoff
        for attempt in range(1, self._attempts + 1):
            try:
                return action()
            except (httpx.TransportError, _BusyError) as error:
                if attempt == self._attempts:
                    raise StoreUnreachableError(
                        f"no IPFS node answers at {self._url} ({str(error) or type(error).__name__}; {attempt} tries); "
                        f"start one (ipfs daemon) or correct the address"
                    ) from error
                self._sleep(wait * random.uniform(0.5, 1.0))
                wait *= 2
        raise AssertionError("unreachable")

    @contextmanager
    def _request(self, command: str, arguments: dict[str, str], source: BinaryIO | Archive | None = None) -> Iterator[httpx.Response]:
        url = f"{self._url}/api/v0/{command}"
        files: Any = {"file": ("content", source)} if source is not None else None
        # A node says nothing while it fetches what it is to pin.
        timeout = self._deadline if command == "pin/add" else self._timeout
        limits = httpx.Timeout(timeout, connect=min(self._timeout, 10.0))
        with self._client.stream("POST", url, params=arguments, files=files, timeout=limits) as reply:
            if reply.status_code in _BUSY:
                raise _BusyError(f"HTTP {reply.status_code}")
            if reply.status_code in (401, 403):
                raise StorageError(
                    f"the node at {self._url} refuses access (HTTP {reply.status_code}); put user and password into the "
                    f"address (http://USER:PASSWORD@HOST:5001), as its API.Authorizations has them"
                )
            if reply.status_code not in (200, 500):
                raise StorageError(
                    f"what answers at {self._url} does not know {command} (HTTP {reply.status_code}); name the RPC of a "
                    f"Kubo node (port 5001), not its gateway"
                )
            if reply.status_code == 500:
                reason = str(self._entry(reply, command).get("Message", "no reason given"))[:300]
                raise _RefusedError(f"the node at {self._url} refused {command}: {reason}", reason)
            yield reply

    def _entry(self, reply: httpx.Response, command: str) -> dict[str, Any]:
        """Return the last JSON object of a small reply."""
        body = bytearray()
        try:
            for part in self._parts(reply):
                body += part
                require_size(len(body), _REPLY_BYTES)
            entry = json.loads(body.strip().rsplit(b"\n", 1)[-1])
        except (ValueError, ContentTooLargeError):
            entry = None
        if not isinstance(entry, dict):
            raise StorageError(f"what answers {command} at {self._url} is no Kubo RPC; correct the address (port 5001)")
        return entry

    def _parts(self, reply: httpx.Response) -> Iterator[bytes]:
        """Give a reply's bytes as they come; a node that only trickles is as good as silent."""
        end = time.monotonic() + self._deadline
        for part in reply.iter_raw():
            yield part
            if time.monotonic() > end:
                raise _BusyError(f"not done in {self._deadline:g} s")


class _RefusedError(StorageError):
    """The node answered with an error of its own."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class _BusyError(Exception):
    """The node cannot answer now."""


def _same(found: str, cid: str) -> bool:
    # An address has one spelling only, which `digest` checks, so equal spellings are equal addresses.
    try:
        return digest(found) == digest(cid) and found == cid
    except AddressError:
        return False
