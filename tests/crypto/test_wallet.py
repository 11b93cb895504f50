import json
import pickle
import stat
from pathlib import Path

import pytest

from flwr_chainfl.crypto import PASSWORD_VARIABLE, Domain, TypedData, Wallet, recover
from flwr_chainfl.errors import WalletError

KEY = bytes(range(1, 33))
PLACE = {"chain_id": 1, "task": "0x" + "11" * 20, "round_number": 1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys" / "device.json"
    Wallet.import_keystore(file, KEY, "secret", iterations=2)
    return file


def test_a_created_key_file_opens_with_its_password(tmp_path: Path) -> None:
    created = Wallet.create_keystore(tmp_path / "new.json", "secret", iterations=2)
    assert Wallet.from_keystore(tmp_path / "new.json", "secret").address == created.address


def test_each_created_key_is_another(tmp_path: Path) -> None:
    wallets = [Wallet.create_keystore(tmp_path / name, "secret", iterations=2) for name in "ab"]
    assert wallets[0].address != wallets[1].address


def test_an_imported_key_has_its_ethereum_address(file: Path) -> None:
    assert Wallet.from_keystore(file, "secret").address == "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"


def test_a_key_file_is_for_its_owner_only(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_file_does_not_hold_the_key_in_the_clear(file: Path) -> None:
    assert KEY.hex() not in file.read_text().lower()


def test_an_existing_key_file_is_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    for write in (
        lambda: Wallet.create_keystore(file, "secret", iterations=2),
        lambda: Wallet.import_keystore(file, KEY, "secret", iterations=2),
    ):
        with pytest.raises(WalletError, match=r"device.json cannot be written \(File exists\); choose another path"):
            write()
    assert file.read_bytes() == before


def test_a_key_file_below_a_regular_file_cannot_be_written(file: Path) -> None:
    with pytest.raises(WalletError, match="cannot be written"):
        Wallet.create_keystore(file / "below.json", "secret", iterations=2)


def test_an_empty_password_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(WalletError, match="an empty password does not protect .*; choose one"):
        Wallet.create_keystore(tmp_path / "new.json", "", iterations=2)
    assert not (tmp_path / "new.json").exists()


def test_a_missing_key_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WalletError, match=r"none.json cannot be read \(No such file or directory\); create one"):
        Wallet.from_keystore(tmp_path / "none.json", "secret")


def test_a_wrong_password_is_told_apart_from_a_broken_file(file: Path) -> None:
    with pytest.raises(WalletError, match=f"does not open with this password; set {PASSWORD_VARIABLE}"):
        Wallet.from_keystore(file, "guess")


@pytest.mark.parametrize("content", [b"no json", b"\xff\xfe\xff", b"{", b""])
def test_a_file_that_is_not_json_is_no_key_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(WalletError, match=r"is not a keystore \(JSON expected\)"):
        Wallet.from_keystore(file, "secret")


@pytest.mark.parametrize("content", [{}, [], 3, "text", None, {"version": 3}, {"version": 3, "crypto": {}}, {"version": 1}])
def test_json_that_is_no_keystore_is_no_key_file(file: Path, content: object) -> None:
    file.write_text(json.dumps(content))
    with pytest.raises(WalletError, match="is not a keystore of version 3"):
        Wallet.from_keystore(file, "secret")


def test_the_password_comes_from_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert Wallet.from_keystore(file).address == Wallet.from_keystore(file, "secret").address


def test_no_password_and_nobody_to_ask_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with pytest.raises(WalletError, match=f"needs a password; set the environment variable {PASSWORD_VARIABLE}"):
            Wallet.from_keystore(file)


def test_errors_hold_neither_key_nor_password(file: Path) -> None:
    with pytest.raises(WalletError) as wrong:
        Wallet.from_keystore(file, "a-wrong-guess")
    assert "a-wrong-guess" not in str(wrong.value)
    with pytest.raises(WalletError) as existing:
        Wallet.import_keystore(file, KEY, "another-secret", iterations=2)
    assert KEY.hex() not in str(existing.value)
    assert "another-secret" not in str(existing.value)


def test_no_representation_of_a_wallet_holds_its_key(file: Path) -> None:
    wallet = Wallet.from_keystore(file, "secret")
    for shown in (repr(wallet), str(wallet), f"{wallet}", f"{vars(wallet)}", repr([wallet])):
        assert KEY.hex() not in shown.lower()
        assert str(KEY) not in shown
    assert wallet.address in repr(wallet)


def test_a_wallet_cannot_be_pickled(file: Path) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Wallet.from_keystore(file, "secret"))


def test_a_salt_is_the_same_when_asked_again(file: Path) -> None:
    first, again = Wallet.from_keystore(file, "secret"), Wallet.from_keystore(file, "secret")
    assert first.salt(**PLACE) == again.salt(**PLACE)
    assert len(first.salt(**PLACE)) == 32


def test_salts_differ_by_chain_task_round_and_key(file: Path) -> None:
    wallet = Wallet.from_keystore(file, "secret")
    changes = [{}, {"chain_id": 2}, {"task": "0x" + "22" * 20}, {"round_number": 2}]
    salts = {wallet.salt(**{**PLACE, **change}) for change in changes}
    salts.add(Wallet.derived(0, "other").salt(**PLACE))
    assert len(salts) == 5


def test_a_salt_does_not_run_chain_and_round_together(file: Path) -> None:
    wallet = Wallet.from_keystore(file, "secret")
    assert wallet.salt(chain_id=1, task="", round_number=11) != wallet.salt(chain_id=11, task="", round_number=1)


def test_derived_accounts_depend_on_seed_and_name() -> None:
    addresses = {Wallet.derived(seed, name).address for seed in (0, 1) for name in ("a", "b")}
    assert len(addresses) == 4
    assert Wallet.derived(0, "a").address == Wallet.derived(0, "a").address


def test_a_wallet_signs_for_its_own_address(file: Path) -> None:
    wallet = Wallet.from_keystore(file, "secret")
    domain = Domain(name="n", version="1", chain_id=1, contract="0x" + "11" * 20)
    statement = TypedData(domain=domain, primary="NodeBinding", message={"participant": wallet.address, "node": 1, "run": 2})
    assert recover(statement, wallet.sign(statement)) == wallet.address
