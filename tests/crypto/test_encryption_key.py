import copy
import logging
import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.crypto import PASSWORD_VARIABLE, SCHEMES, EncryptionKey, PublicKey, Wallet, encryption_key
from flwr_chainfl.errors import ConfigError, EncryptionKeyError, EnvelopeTamperedError, WalletError
from flwr_chainfl.storage import FolderStore, KeyDirectory, digest

SECRET = bytes(range(32))


@pytest.fixture(scope="module", params=SCHEMES)
def key(request: pytest.FixtureRequest) -> EncryptionKey:
    return EncryptionKey.generate(request.param)


@pytest.fixture(scope="module")
def file(key: EncryptionKey, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EncryptionKey]:
    path = tmp_path_factory.mktemp("keys") / "below" / "encryption.pem"
    return path, EncryptionKey.create_file(path, "secret", key.public.scheme, cost=1)


def _der(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | x25519.X25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_what_is_wrapped_for_a_key_opens_with_it_and_the_same_info_only(key: EncryptionKey) -> None:
    wrapped = key.public.wrap(SECRET, b"round 1")
    assert key.unwrap(wrapped, b"round 1") == SECRET
    assert key.public.wrap(SECRET, b"round 1") != wrapped
    for other, info in ((key, b"round 2"), (EncryptionKey.generate(key.public.scheme), b"round 1")):
        with pytest.raises(EnvelopeTamperedError, match="was changed, or wrapped for another envelope"):
            other.unwrap(wrapped, info)


def test_a_published_key_is_read_again_and_named_by_the_digest_of_its_address(key: EncryptionKey, tmp_path: Path) -> None:
    directory = KeyDirectory(FolderStore(tmp_path))
    cid = directory.publish(key.public)
    assert digest(cid) == key.public.key_id
    found = KeyDirectory(FolderStore(tmp_path)).find(cid)
    assert found == key.public
    assert (found.scheme, found.key_id, hash(found)) == (key.public.scheme, key.public.key_id, hash(key.public))
    assert key.unwrap(found.wrap(SECRET, b""), b"") == SECRET


def test_a_content_that_is_no_key_is_refused_when_it_is_looked_up(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(EncryptionKeyError, match="8 bytes are no public key"):
        KeyDirectory(store).find(store.put(b"no key!!"))
    with pytest.raises(ValueError, match="more than 4096 bytes"):
        KeyDirectory(store).find(store.put(bytes(100_000)))


@given(st.binary(max_size=600))
def test_arbitrary_bytes_are_no_public_key(data: bytes) -> None:
    with pytest.raises(EncryptionKeyError, match=f"^{len(data)} bytes are no public key"):
        PublicKey.from_bytes(data)


def test_weak_huge_and_foreign_keys_are_refused_with_the_reason() -> None:
    small = rsa.generate_private_key(65537, 1024).public_key()
    for data, reason in (
        (_der(small), "RSA has 1024 bits, 3072 to 8192 are possible"),
        (_der(rsa.RSAPublicNumbers(65537, 2**9001 + 1).public_key()), "RSA has 9002 bits"),
        (_der(rsa.RSAPublicNumbers(3, 2**3071 + 1).public_key()), "exponent is not 65537"),
        (_der(ec.generate_private_key(ec.SECP256K1()).public_key()), "is no key for encryption; RSA and X25519 are possible"),
        (_der(x25519.X25519PublicKey.from_public_bytes(bytes(32))), "small order"),
    ):
        with pytest.raises(EncryptionKeyError, match=reason):
            PublicKey.from_bytes(data)


def test_a_key_has_one_encoding(key: EncryptionKey) -> None:
    with pytest.raises(EncryptionKeyError):
        PublicKey.from_bytes(key.public.to_bytes() + b"\0")


def test_a_key_file_opens_with_its_password(file: tuple[Path, EncryptionKey], monkeypatch: pytest.MonkeyPatch) -> None:
    path, created = file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert EncryptionKey.from_file(path, "secret").public == created.public
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert created.unwrap(EncryptionKey.from_file(path).public.wrap(SECRET, b""), b"") == SECRET


def test_a_key_file_that_cannot_be_opened_or_written_says_why(
    file: tuple[Path, EncryptionKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = file
    plain = tmp_path / "plain.pem"
    plain.write_bytes(
        x25519.X25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    damaged = tmp_path / "damaged.pem"
    damaged.write_text(path.read_text().replace("M", "N"))
    Wallet.create_keystore(tmp_path / "wallet.json", "secret", iterations=2)
    (tmp_path / "binary.pem").write_bytes(b"\xff\xfe")
    for opened, message in (
        (tmp_path / "none.pem", r"cannot be read \(No such file or directory\); create one with .*EncryptionKey.create_file"),
        (plain, "is no locked private key"),
        (tmp_path / "wallet.json", "is no locked private key"),
        (tmp_path / "binary.pem", "is no locked private key"),
        (damaged, "does not open with this password; set .* or use another file if it is damaged"),
    ):
        with pytest.raises(WalletError, match=message):
            EncryptionKey.from_file(opened, "secret")
    with pytest.raises(WalletError, match=f"does not open with this password; set {PASSWORD_VARIABLE}"):
        EncryptionKey.from_file(path, "guess")
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(WalletError, match="needs a password"):
        EncryptionKey.from_file(path)
    before = path.read_bytes()
    with pytest.raises(WalletError, match="File exists"):
        EncryptionKey.create_file(path, "secret", cost=1)
    assert path.read_bytes() == before
    with pytest.raises(WalletError, match="an empty password does not protect"):
        EncryptionKey.create_file(tmp_path / "new.pem", "")
    assert not (tmp_path / "new.pem").exists()


def test_a_private_key_is_in_no_representation_error_log_or_pickle(
    key: EncryptionKey, caplog: pytest.LogCaptureFixture
) -> None:
    private = key._key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(EnvelopeTamperedError) as error:
        key.unwrap(bytes(400), b"")
    shown = repr(key) + str(key) + str(key.public) + repr(error.value) + caplog.text
    for start in range(0, len(private) - 8, 8):
        assert private[start : start + 8].hex() not in shown
        assert repr(private[start : start + 8])[2:-1] not in shown
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="is not pickled; hand on the path of its key file"):
            copied(key)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_simulated_key_follows_from_seed_and_name(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption_key, "RSA_BITS", 1024)  # 3072 take seconds
    derived = EncryptionKey.derived(1, "client 0", scheme)
    encryption_key._derive.cache_clear()  # as in another process
    assert EncryptionKey.derived(1, "client 0", scheme).public == derived.public
    assert derived.public.scheme == scheme
    encryption_key._derive.cache_clear()


def test_other_seeds_and_names_give_other_keys() -> None:
    assert len({EncryptionKey.derived(seed, name).public for seed in (1, 2) for name in ("client 0", "client 1")}) == 4


@pytest.mark.parametrize("make", [EncryptionKey.generate, lambda scheme: EncryptionKey.derived(1, "a", scheme)])
def test_an_unknown_scheme_is_named_with_the_possible_ones(make: type) -> None:
    with pytest.raises(ConfigError, match="scheme is 'rot13'; 'rsa-oaep', 'x25519' are possible"):
        make("rot13")
