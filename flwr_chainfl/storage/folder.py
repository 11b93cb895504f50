"""A folder as content-addressed store: nothing to start, and readable with any tool."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from flwr_chainfl.errors import ContentMismatchError, ContentNotFoundError, StorageError
from flwr_chainfl.storage.cid import digest
from flwr_chainfl.storage.store import MAX_BYTES, bound
from flwr_chainfl.storage.transfer import measure, pieces, receive, receive_bytes


class FolderStore:
    """Store each content as one file, named by its address. A content is pinned as long as its file is there.

    folder: made when missing
    max_bytes: largest content taken or given

    Raises StorageError when the folder cannot be made or written.

    Choice: unpinning deletes the file at once. A node keeps it until it collects garbage; here nobody would.
    """

    def __init__(self, folder: str | Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = Path(folder).expanduser()
        self._max_bytes = max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise StorageError(
                f"store folder {self.folder} cannot be written ({error.strerror}); choose another folder"
            ) from error

    @property
    def location(self) -> str:
        """``folder:`` and the absolute path."""
        return f"folder:{self.folder.resolve()}"

    def put(self, data: bytes) -> str:
        """Store bytes and return their content address. Storing them again changes nothing.

        Raises StorageError when they cannot be written, ContentMismatchError when the file was changed,
        ContentTooLargeError.
        """
        return self.put_file(io.BytesIO(data))

    def put_file(self, source: BinaryIO) -> str:
        """Store a seekable file from its beginning, as `put` does, a chunk at a time."""
        cid = measure(source, max_bytes=self._max_bytes)
        file = self._file(cid)
        if not file.exists():
            self._write(source, cid, file)
        else:
            with file.open("rb") as stored:
                if measure(stored, max_bytes=max(self._max_bytes, file.stat().st_size)) != cid:
                    raise ContentMismatchError(
                        f"{file} does not hold the content of its name; delete the file and try again"
                    )
        return cid

    def get(self, cid: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes of an address.

        Raises AddressError when it is no address, ContentNotFoundError when nothing is stored under it,
        ContentMismatchError when what is stored does not hash to it, ContentTooLargeError.
        """
        with self._open(cid) as stored:
            return receive_bytes(pieces(stored), cid, max_bytes=bound(self._max_bytes, max_bytes), whose=self._whose(cid))

    def get_file(self, cid: str, target: BinaryIO, *, max_bytes: int | None = None) -> None:
        """Write the bytes of an address into a seekable file at its position, as `get` does, a chunk at a time."""
        with self._open(cid) as stored:
            receive(pieces(stored), cid, target, max_bytes=bound(self._max_bytes, max_bytes), whose=self._whose(cid))

    def pin(self, cid: str) -> None:
        """Check that the content is there; raises AddressError, ContentNotFoundError."""
        self._open(cid).close()

    def unpin(self, cid: str) -> None:
        """Delete the content of an address, if it is there.

        Raises AddressError, StorageError when it cannot be deleted.
        """
        digest(cid)
        try:
            self._file(cid).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self._file(cid)} cannot be deleted ({error.strerror}); change the folder's owner"
            ) from error

    def is_pinned(self, cid: str) -> bool:
        """Whether the content of an address is there. Raises AddressError."""
        digest(cid)
        return self._file(cid).is_file()

    def _write(self, source: BinaryIO, cid: str, file: Path) -> None:
        unfinished: Path | None = None
        try:
            file.parent.mkdir(exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=file.parent)
            unfinished = Path(name)
            with os.fdopen(descriptor, "wb") as out:
                receive(pieces(source), cid, out, max_bytes=self._max_bytes, whose="the file changed while it was stored")
            os.replace(unfinished, file)
            unfinished = None
        except OSError as error:
            raise StorageError(
                f"{file} cannot be written ({error.strerror}); free space or change the folder's owner"
            ) from error
        finally:
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)

    def _open(self, cid: str) -> BinaryIO:
        digest(cid)
        try:
            return self._file(cid).open("rb")
        except FileNotFoundError:
            raise ContentNotFoundError(f"{cid} is not in {self.folder}; fetch it from whoever published it") from None

    def _whose(self, cid: str) -> str:
        return f"{self._file(cid)} does not hold the content of its name, it was changed after it was stored"

    def _file(self, cid: str) -> Path:
        return self.folder / cid[-2:] / cid
