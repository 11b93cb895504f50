"""One exception tree; every error names the value, the bound and the remedy.

::

    ChainFLError
    ├── ConfigError (ValueError)            an unknown or impossible setting
    │   └── GasCapError                     what a run would cost is above the cap
    ├── ParticipationError                  too few clients came, in the time given
    │   └── TooFewForRolesError             too few members for a worker, a validator and a miner
    ├── ReportError (ValueError)            what a participant sent cannot be used
    │   ├── ReportShapeError                shapes disagree, or a label is no class
    │   ├── SoftLabelError                  not a distribution over the classes
    │   ├── CodecError                      bytes that are no coded soft labels
    │   ├── VectorError                     no packed vector of the task: length, values, scale or samples
    │   └── SealError                       a miner was shown what nobody signed, or attested another round or hash
    ├── PublicSetError (ValueError)         the shared inputs are empty, malformed or different
    ├── ModelError (ValueError)             a model does not fit the task
    ├── CryptoError
    │   ├── CommitmentError (ValueError)    what was revealed is not what was committed
    │   │   └── ReusedSaltError             a salt that was revealed before
    │   ├── SignatureError (ValueError)     signed by somebody else, or not at all
    │   ├── WalletError (ValueError)        a key file is missing, unreadable or locked
    │   ├── EncryptionKeyError (ValueError) bytes that are no usable public key
    │   └── EnvelopeError (ValueError)      a sealed content that does not open
    │       ├── EnvelopeFormatError         no envelope, or of another version
    │       ├── EnvelopeContextError        of another task, round or owner
    │       ├── RecipientError              not sealed for this key
    │       └── EnvelopeTamperedError       changed, cut, reordered or extended after it was sealed
    ├── StorageError
    │   ├── AddressError (ValueError)       not a content address
    │   ├── ContentNotFoundError (KeyError) nothing stored under the address
    │   ├── ContentMismatchError            the bytes are not those of the address
    │   ├── ContentTooLargeError (ValueError) more bytes than the store takes
    │   └── StoreUnreachableError (ConnectionError) no node answers, or not in time
    ├── LedgerError
    │   ├── LedgerUnreachableError (ConnectionError)
    │   ├── WrongChainError (ValueError)
    │   ├── LedgerLogError (ValueError)     a log that does not replay
    │   └── ContractError                   the contract refused; carries its error's name and arguments
    └── RunRecordError (OSError)            a run directory that cannot be written or read
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ChainFLError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigError(ChainFLError, ValueError):
    """An unknown or impossible setting."""


class GasCapError(ConfigError):
    """What a run would cost is above the cap."""


class ParticipationError(ChainFLError):
    """Too few clients came, in the time given."""


class TooFewForRolesError(ParticipationError):
    """Too few members for a worker, a validator and a miner."""


class ReportError(ChainFLError, ValueError):
    """What a participant sent cannot be used."""


class ReportShapeError(ReportError):
    """Shapes disagree, or a label is no class."""


class SoftLabelError(ReportError):
    """Not a distribution over the classes."""


class CodecError(ReportError):
    """Bytes that are no coded soft labels."""


class VectorError(ReportError):
    """No packed vector of the task: another length or scale, values that are not finite, samples that cannot be."""


class SealError(ReportError):
    """A miner was shown what nobody signed, or attested another round or another hash."""


class PublicSetError(ChainFLError, ValueError):
    """The shared inputs are empty, malformed or different."""


class ModelError(ChainFLError, ValueError):
    """A model does not fit the task."""


class CryptoError(ChainFLError):
    """A signature, commitment or key that does not hold."""


class CommitmentError(CryptoError, ValueError):
    """What was revealed is not what was committed."""


class ReusedSaltError(CommitmentError):
    """A salt that was revealed before: whoever knows it can guess the commitment, and foresee the round's seed."""


class SignatureError(CryptoError, ValueError):
    """Signed by somebody else, or not at all."""


class WalletError(CryptoError, ValueError):
    """A key file is missing, unreadable or locked."""


class EncryptionKeyError(CryptoError, ValueError):
    """Bytes that are no usable public key."""


class EnvelopeError(CryptoError, ValueError):
    """A sealed content that does not open."""


class EnvelopeFormatError(EnvelopeError):
    """No envelope, or of another version."""


class EnvelopeContextError(EnvelopeError):
    """Of another task, round or owner than the one asked for."""


class RecipientError(EnvelopeError):
    """Not sealed for this key."""


class EnvelopeTamperedError(EnvelopeError):
    """Changed, cut, reordered or extended after it was sealed."""


class StorageError(ChainFLError):
    """Content that cannot be stored or fetched."""


class AddressError(StorageError, ValueError):
    """Not a content address."""


class ContentNotFoundError(StorageError, KeyError):
    """Nothing is stored under the address."""

    def __str__(self) -> str:
        return str(self.args[0])


class ContentMismatchError(StorageError):
    """The bytes are not those of the address."""


class ContentTooLargeError(StorageError, ValueError):
    """More bytes than the store takes."""


class StoreUnreachableError(StorageError, ConnectionError):
    """No node answers at the address, or not in time."""


class LedgerError(ChainFLError):
    """The ledger refused or cannot be used."""


class LedgerUnreachableError(LedgerError, ConnectionError):
    """No node answers at the address."""


class WrongChainError(LedgerError, ValueError):
    """The node is of another chain than the one asked for."""


class LedgerLogError(LedgerError, ValueError):
    """A transaction log that does not replay."""


class ContractError(LedgerError):
    """The contract refused a call.

    Attributes
    ----------
    name : str
        The contract's own error, e.g. ``StakeTooSmall``; ``""`` where it gave none.
    arguments : Mapping[str, Any]
        The error's arguments by name.
    """

    def __init__(self, message: str, *, name: str = "", arguments: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.arguments = dict(arguments or {})


class RunRecordError(ChainFLError, OSError):
    """A run directory that cannot be written or read."""
