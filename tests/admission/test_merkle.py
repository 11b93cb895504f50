from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flwr_chainfl.admission import MerkleTree
from flwr_chainfl.crypto import keccak256
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import NOBODY, Gate, Ledger

ADDRESSES = st.binary(min_size=20, max_size=20).map(to_checksum_address)
LISTS = st.lists(ADDRESSES, min_size=1, max_size=40, unique=True)


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    opened = Ledger.open()
    yield opened
    opened.close()


def _refusal(gate: Gate, participant: str, proof: bytes) -> tuple[str, dict[str, Any]] | None:
    try:
        gate.check(NOBODY, participant, proof=proof)
    except ContractError as refusal:
        return refusal.name, refusal.arguments
    return None


def _refused(gate: Gate, participant: str, proof: bytes) -> bool:
    return _refusal(gate, participant, proof) == ("NotInvited", {"participant": participant.lower()})


def _admitted(gate: Gate, participant: str, proof: bytes) -> bool:
    return _refusal(gate, participant, proof) is None


def _deploy(ledger: Ledger, root: bytes) -> Gate:
    return ledger.gate(ledger.deploy("AllowList", (root,)))


@settings(max_examples=40)
@given(LISTS, ADDRESSES, st.randoms())
def test_the_contract_admits_who_is_on_the_list_and_nobody_else(ledger, addresses, stranger, random) -> None:
    assume(stranger not in addresses)
    tree = MerkleTree(addresses)
    gate = _deploy(ledger, tree.root)
    proofs = {address: tree.proof(address) for address in addresses}
    assert all(_admitted(gate, address, proof) for address, proof in proofs.items())
    borrowed = proofs[random.choice(addresses)]
    assert _refused(gate, stranger, borrowed)
    assert _refused(gate, stranger, b"")
    assert gate.root() == tree.root


@settings(max_examples=40)
@given(LISTS.filter(lambda addresses: len(addresses) > 1), st.randoms())
def test_a_proof_that_is_changed_cut_or_lengthened_admits_nobody(ledger, addresses, random) -> None:
    tree = MerkleTree(addresses)
    gate = _deploy(ledger, tree.root)
    participant = random.choice(addresses)
    proof = tree.proof(participant)
    position = random.randrange(len(proof))
    changed = proof[:position] + bytes([proof[position] ^ 1 << random.randrange(8)]) + proof[position + 1 :]
    for wrong in (changed, proof[:-32], proof[:-1], proof + b"\0", proof + bytes(32), tree.root):
        assert wrong == proof or _refused(gate, participant, wrong)


@given(LISTS, st.randoms())
def test_the_order_of_the_list_does_not_matter(addresses, random) -> None:
    shuffled = random.sample(addresses, len(addresses))
    assert MerkleTree(shuffled).root == MerkleTree(addresses).root


def test_three_leaves_by_hand() -> None:
    """In ascending order of leaves: the two lowest are joined first, and the highest with what comes of them."""
    addresses = [to_checksum_address("0x" + digit * 40) for digit in "123"]
    low, middle, high = sorted(keccak256(keccak256(encode(["address"], [address]))) for address in addresses)
    pair = keccak256(low + middle)
    assert MerkleTree(addresses).root == keccak256(min(high, pair) + max(high, pair))


def test_root_and_proof_are_those_of_the_standard_tree() -> None:
    """Made by @openzeppelin/merkle-tree 1.0.8: StandardMerkleTree.of(addresses, ["address"])."""
    tree = MerkleTree([to_checksum_address("0x" + digit * 40) for digit in "12345"])
    assert tree.root.hex() == "d21ca6424df344c7bdcd3d65c364ffa0cfbe7e04510d81fa57c175716da06376"
    assert tree.proof(to_checksum_address("0x" + "3" * 40)).hex() == (
        "a7409058568815d08a7ad3c7d4fd44cf1dec90c620cb31e55ad24c654f7ba34f"
        "4de471fd4dc354047905142d46b40b7b787cb74950fa3bcc2b0dad59d44c00b0"
    )


def test_an_inner_node_passes_for_no_leaf(ledger) -> None:
    """64 bytes of two children hash to their parent; an address has no such preimage, since leaves are hashed twice."""
    addresses = [to_checksum_address("0x" + digit * 40) for digit in "1234"]
    tree = MerkleTree(addresses)
    once = [keccak256(encode(["address"], [address])) for address in addresses]
    assert all(hash_ not in tree.proof(address) for hash_, address in zip(once, addresses, strict=True))
    assert MerkleTree(addresses[:1]).root == keccak256(once[0])
    assert MerkleTree(addresses[:1]).proof(addresses[0]) == b""
