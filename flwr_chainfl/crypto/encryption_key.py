"""Who can read: key pairs that contents are sealed for, and the public halves that are published."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from Crypto.IO import PEM, PKCS8
from Crypto.PublicKey import RSA
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, x25519

from flwr_chainfl.crypto.commitment import keccak256
from flwr_chainfl.crypto.key_file import (
    PASSWORD_VARIABLE,
    find_password,
    read_key_file,
    require_password,
    write_key_file,
)
from flwr_chainfl.errors import ConfigError, EncryptionKeyError, EnvelopeTamperedError, WalletError

RSA_BITS = 3072
MAX_KEY_BYTES = 4096
"""Most bytes that the encoding of a public key has."""

_RSA_LARGEST = 8192  # larger ones serve to make others compute
_SCRYPT_COST = 1 << 14  # with blocks of 8, 16 MiB: the largest power of two that OpenSSL's tools take


class _Scheme(Protocol):
    """How a secret of 32 bytes is wrapped for a key of one kind; `info` is bound to it.

    number: one byte that stands for it in an envelope
    """

    number: int
    private: type[Any]
    public: type[Any]

    def generate(self) -> Any: ...

    def derive(self, seed: bytes) -> Any: ...

    def check(self, key: Any) -> str | None:
        """Say what is wrong with a public key, None for nothing."""

    def wrap(self, key: Any, secret: bytes, info: bytes) -> bytes: ...

    def unwrap(self, key: Any, wrapped: bytes, info: bytes) -> bytes:
        """Raise ValueError or InvalidTag when it was not wrapped for this key with this info."""


class _RsaOaep:
    """RSA-OAEP with SHA-256 (RFC 8017); the info is OAEP's label."""

    number = 1
    private = rsa.RSAPrivateKey
    public = rsa.RSAPublicKey

    def generate(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)

    def derive(self, seed: bytes) -> rsa.RSAPrivateKey:
        # `cryptography` makes no key from a seed.
        key = RSA.generate(RSA_BITS, randfunc=_stream(seed))
        loaded = serialization.load_der_private_key(key.export_key("DER"), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        return loaded

    def check(self, key: rsa.RSAPublicKey) -> str | None:
        if not RSA_BITS <= key.key_size <= _RSA_LARGEST:
            return f"RSA has {key.key_size} bits, {RSA_BITS} to {_RSA_LARGEST} are possible"
        if key.public_numbers().e != 65537:
            return "RSA's exponent is not 65537"
        return None

    def wrap(self, key: rsa.RSAPublicKey, secret: bytes, info: bytes) -> bytes:
        return key.encrypt(secret, self._padding(info))

    def unwrap(self, key: rsa.RSAPrivateKey, wrapped: bytes, info: bytes) -> bytes:
        return key.decrypt(wrapped, self._padding(info))

    def _padding(self, info: bytes) -> padding.OAEP:
        return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=info)


class _X25519:
    """HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""

    number = 2
    private = x25519.X25519PrivateKey
    public = x25519.X25519PublicKey

    def generate(self) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.generate()

    def derive(self, seed: bytes) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.from_private_bytes(seed)

    def check(self, key: x25519.X25519PublicKey) -> str | None:
        try:
            self.wrap(key, bytes(32), b"")
        except ValueError:
            return "an X25519 key of small order shares its secret with everybody"
        return None

    def wrap(self, key: x25519.X25519PublicKey, secret: bytes, info: bytes) -> bytes:
        return self._suite().encrypt(secret, key, info)

    def unwrap(self, key: x25519.X25519PrivateKey, wrapped: bytes, info: bytes) -> bytes:
        return self._suite().decrypt(wrapped, key, info)

    def _suite(self) -> hpke.Suite:
        return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


_SCHEMES: dict[str, _Scheme] = {"rsa-oaep": _RsaOaep(), "x25519": _X25519()}
SCHEMES = tuple(_SCHEMES)
"""Ways to wrap a key for a recipient: the paper's, and a faster one with smaller keys."""


class PublicKey:
    """What others need to seal a content for a recipient.

    scheme: ``rsa-oaep`` or ``x25519``
    key_id: 32 bytes, SHA-256 of `to_bytes`, which is the digest inside the content address of these bytes
    """

    def __init__(self, key: Any) -> None:
        self.scheme, self._scheme = _scheme_of(key, public=True)
        if (reason := self._scheme.check(key)) is not None:
            raise EncryptionKeyError(f"the public key cannot be used ({reason}); make one with EncryptionKey.generate")
        self._key = key
        self._bytes: bytes = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = hashlib.sha256(self._bytes).digest()

    def __repr__(self) -> str:
        return f"PublicKey({self.scheme}, {self.key_id.hex()[:16]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other._bytes == self._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def to_bytes(self) -> bytes:
        """Return the key as published: SubjectPublicKeyInfo (RFC 5280) in DER, of which a key has exactly one."""
        return self._bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """Read a published key.

        Raises EncryptionKeyError for anything but the one encoding of a key of a known kind and size.
        """
        try:
            key = cls(serialization.load_der_public_key(data)) if len(data) <= MAX_KEY_BYTES else None
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if isinstance(error, EncryptionKeyError):
                raise
            key = None
        if key is None or key.to_bytes() != data:
            raise EncryptionKeyError(
                f"{len(data)} bytes are no public key (SubjectPublicKeyInfo in DER of RSA or X25519); publish "
                f"PublicKey.to_bytes()"
            )
        return key

    def wrap(self, secret: bytes, info: bytes) -> bytes:
        """Encrypt 32 bytes for the owner of this key; they open only with the same info."""
        return self._scheme.wrap(self._key, secret, info)

    @property
    def scheme_number(self) -> int:
        """The byte that stands for the scheme in an envelope."""
        return self._scheme.number


class EncryptionKey:
    """A key pair; what was sealed for `public` opens with it.

    The private half never leaves the object but into a locked key file: it is in no representation, log or message.
    It is apart from the account that signs, so that it can be replaced without losing the account.
    """

    def __init__(self, key: Any) -> None:
        _, self._scheme = _scheme_of(key, public=False)
        self._key = key
        self.public = PublicKey(key.public_key())

    def __repr__(self) -> str:
        return f"EncryptionKey({self.public.scheme}, {self.public.key_id.hex()[:16]})"

    def __reduce__(self) -> str:
        raise TypeError("an EncryptionKey is not pickled; hand on the path of its key file")

    @classmethod
    def generate(cls, scheme: str = "rsa-oaep") -> EncryptionKey:
        """Make a new key pair; raises ConfigError for an unknown scheme."""
        return cls(_named(scheme).generate())

    @classmethod
    def derived(cls, seed: int, name: str, scheme: str = "x25519") -> EncryptionKey:
        """Return the throw-away key pair of a simulation. Anybody who knows the seed has it.

        Choice: X25519 by default. Deriving RSA takes a second or so, once in each process, and repeats with the same
        version of pycryptodome only.
        """
        _named(scheme)
        return cls(_derive(seed, name, scheme))

    @classmethod
    def create_file(cls, path: str | Path, password: str, scheme: str = "rsa-oaep", *, cost: int = 8) -> EncryptionKey:
        """Make a key pair and write its key file: PKCS #8 in PEM, locked with scrypt and AES-256, for its owner only.

        cost: scrypt's parallelisation; 8 is about half a second

        Raises WalletError when the file exists already or cannot be written, or the password is empty.
        """
        file = Path(path).expanduser()
        require_password(password, file)
        key = cls.generate(scheme)
        plain = key._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # `cryptography` locks PEM files with 2048 rounds of PBKDF2, which is little against a guessed password.
        identifier, inner, parameters = PKCS8.unwrap(plain)
        options: dict[str, Any] = {} if key.public.scheme == "rsa-oaep" else {"key_params": parameters}
        locked = PKCS8.wrap(
            inner,
            identifier,
            passphrase=password.encode(),
            protection="scryptAndAES256-CBC",
            prot_params={"iteration_count": _SCRYPT_COST, "block_size": 8, "parallelization": cost},
            **options,
        )
        write_key_file(file, PEM.encode(locked, "ENCRYPTED PRIVATE KEY") + "\n")
        return key

    @classmethod
    def from_file(cls, path: str | Path, password: str | None = None) -> EncryptionKey:
        """Open a key file.

        password: when None, the environment variable ``CHAINFL_PASSWORD``, and where that is not set, a prompt

        Raises WalletError when the file is missing, not locked or no key file, or the password is missing or wrong.
        """
        file = Path(path).expanduser()
        text = read_key_file(file, create="flwr_chainfl.crypto.EncryptionKey.create_file")
        if "BEGIN ENCRYPTED PRIVATE KEY" not in text:
            raise WalletError(
                f"key file {file} is no locked private key (PEM, ENCRYPTED PRIVATE KEY); use another file, or make one "
                f"with flwr_chainfl.crypto.EncryptionKey.create_file"
            )
        if password is None:
            password = find_password(file)
        try:
            return cls(serialization.load_pem_private_key(text.encode(), password.encode()))
        except EncryptionKeyError as error:
            raise WalletError(f"key file {file}: {error}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise WalletError(
                f"key file {file} does not open with this password; set {PASSWORD_VARIABLE} to the right one, or use "
                f"another file if it is damaged"
            ) from error

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Decrypt what was wrapped for this key with the same info; raises EnvelopeTamperedError otherwise."""
        try:
            return self._scheme.unwrap(self._key, wrapped, info)
        except (ValueError, InvalidTag) as error:
            raise EnvelopeTamperedError(
                "the key inside the envelope does not open: it was changed, or wrapped for another envelope; fetch it again"
            ) from error


def _named(scheme: str) -> _Scheme:
    if scheme not in _SCHEMES:
        raise ConfigError(f"scheme is {scheme!r}; {', '.join(map(repr, SCHEMES))} are possible")
    return _SCHEMES[scheme]


def _scheme_of(key: Any, *, public: bool) -> tuple[str, _Scheme]:
    for name, scheme in _SCHEMES.items():
        if isinstance(key, scheme.public if public else scheme.private):
            return name, scheme
    raise EncryptionKeyError(f"{type(key).__name__} is no key for encryption; RSA and X25519 are possible")


@lru_cache(maxsize=64)
def _derive(seed: int, name: str, scheme: str) -> Any:
    return _SCHEMES[scheme].derive(keccak256(f"flwr-chainfl simulated encryption key {scheme} {seed} {name}".encode()))


def _stream(seed: bytes) -> Callable[[int], bytes]:
    """Return a source of bytes that a seed determines: SHA-256 over the seed and a counter."""
    counter = itertools.count()
    rest = b""

    def read(count: int) -> bytes:
        nonlocal rest
        while len(rest) < count:
            rest += hashlib.sha256(seed + next(counter).to_bytes(8, "big")).digest()
        out, rest = rest[:count], rest[count:]
        return out

    return read
