"""A folder as content-addressed store: nothing to start, and readable with any tool."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from flwr_chainfl.errors import ContentMismatchError, ContentNotFoundError, StorageError
from flwr_chainfl.storage.cid import address, digest


class FolderStore:
    """Store each content as one file, named by its address.

    folder: made when missing

    Raises StorageError when the folder cannot be made or written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise StorageError(
                f"store folder {self.folder} cannot be written ({error.strerror}); choose another folder"
            ) from error

    def put(self, data: bytes) -> str:
        """Store bytes and return their content address. Storing them again changes nothing.

        Raises StorageError when they cannot be written, ContentMismatchError when the file was changed.
        """
        cid = address(data)
        file = self._file(cid)
        if not file.exists():
            try:
                file.parent.mkdir(exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as out:
                    out.write(data)
                os.replace(out.name, file)
            except OSError as error:
                raise StorageError(
                    f"{file} cannot be written ({error.strerror}); free space or change the folder's owner"
                ) from error
        elif address(file.read_bytes()) != cid:
            raise ContentMismatchError(f"{file} does not hold the content of its name; delete the file and try again")
        return cid

    def get(self, cid: str) -> bytes:
        """Return the bytes of an address.

        Raises AddressError when it is no address, ContentNotFoundError when nothing is stored under it,
        ContentMismatchError when what is stored does not hash to it.
        """
        digest(cid)
        file = self._file(cid)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise ContentNotFoundError(f"{cid} is not in {self.folder}; fetch it from whoever published it") from None
        if address(data) != cid:
            raise ContentMismatchError(f"{file} does not hold the content of its name: it was changed after it was stored")
        return data

    def _file(self, cid: str) -> Path:
        return self.folder / cid[-2:] / cid
