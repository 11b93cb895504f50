import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import AddressError
from flwr_chainfl.storage import AddressBuilder, address, digest

# Addresses by ipfs-unixfs-importer 17.1.1 (npm, with blockstore-core 7.0.1): cidVersion 1, rawLeaves true,
# fixedSize({chunkSize}), balanced({maxChildrenPerNode}), reduceSingleLeafToSelf true. Byte i of the content is
# (i * 31 + (i >> 8)) & 255.
MIB = 1 << 20
PROFILE = {
    0: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    1: "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
    MIB: "bafkreihwunguy6od2ewcs5mjebv7efvqqq2hi4nfh2s6p7u2i26remhqta",
    MIB + 1: "bafybeiejkouhdadwq6odmdgica7fdicfqhfogaijsax5tnxp3yg56layvy",
    3 * MIB + 5: "bafybeico3cc3i3fbi3ikv46ja2qq5vcvbsx7bccvoulbug7n2vl7d6xc7q",
}
DEEP = {
    (8, 4, 2): "bafybeibbt4bsdxatd5cvhc54vowii5xbfcxspftf3wvjeuu7cc4uojj36a",
    (9, 4, 2): "bafybeia4eygzheodj2qdkizhk57ejbqrb25eqbbcniyruzgacwini4okka",
    (16, 4, 2): "bafybeihertsyuhje4cchssbwchr5mw7yidzmi3ufpqq4iompfx24cldg3m",
    (17, 4, 2): "bafybeigfqjm6q7cqabddq5rhspaqne5erx3kvshdafk6gz3vik2kg7d4gi",
    (33, 4, 2): "bafybeihnvnbvmqglt2gbhc56k6ivs6dosijd33boz2eamb2cl45yclvqw4",
    (37, 4, 2): "bafybeibe3jfzg2724ao5c6mdk4c2oaqvywoccofrsu2ixf4jsvw7pjkywy",
    (64, 4, 3): "bafybeicrakbqp2ngsemgicmqcmnmtnn6gfwqq2vtoikcqjsacnncmxsytm",
    (100, 4, 3): "bafybeiej6r43ckuadwos4xcmjfnobqaegvpqfaua73y3kovksoadx5igda",
    (1000, 10, 5): "bafybeiheqhl3tldmqaru7q64as5owhmftgxi5qd7dcmxsgrq2dqiiwfqzq",
}


def _content(size: int) -> bytes:
    period = bytes((i * 31 + (i >> 8)) & 255 for i in range(1 << 16))
    return (period * (size // len(period) + 1))[:size]


@pytest.mark.parametrize(("size", "cid"), PROFILE.items())
def test_an_address_is_the_one_that_an_ipfs_node_computes(size: int, cid: str) -> None:
    assert address(_content(size)) == cid


@pytest.mark.parametrize(("shape", "cid"), DEEP.items())
def test_a_tree_of_several_levels_has_the_address_that_an_ipfs_node_computes(
    shape: tuple[int, int, int], cid: str
) -> None:
    size, chunk_bytes, links = shape
    assert address(_content(size), chunk_bytes=chunk_bytes, links=links) == cid


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 9), st.integers(2, 4))
def test_an_address_does_not_depend_on_how_the_bytes_come(pieces: list[bytes], chunk_bytes: int, links: int) -> None:
    builder = AddressBuilder(chunk_bytes=chunk_bytes, links=links)
    for piece in pieces:
        builder.update(piece)
    assert builder.size == sum(map(len, pieces))
    assert builder.address() == address(b"".join(pieces), chunk_bytes=chunk_bytes, links=links)


def test_the_tree_of_a_large_content_takes_little_memory() -> None:
    builder = AddressBuilder(chunk_bytes=1, links=16)
    tracemalloc.start()
    for _ in range(16**3 + 1):
        builder.update(b"x")
    builder.address()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000  # 16 links a level, not 4096


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 8), st.integers(2, 4))
def test_other_content_has_another_address(first: bytes, second: bytes, chunk_bytes: int, links: int) -> None:
    same = address(first, chunk_bytes=chunk_bytes, links=links) == address(second, chunk_bytes=chunk_bytes, links=links)
    assert same == (first == second)


def test_the_digest_of_a_small_content_is_its_sha256() -> None:
    assert digest(PROFILE[0]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_a_large_content_is_that_of_its_root() -> None:
    assert len(digest(PROFILE[MIB + 1])) == 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "../../etc/passwd",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",  # CIDv0
        PROFILE[0].upper(),
        PROFILE[0][:-1],
        PROFILE[0] + "a",
        PROFILE[0][:-2] + "1u",  # no base32 digit
        "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",  # dag-cbor
        "bafkrmihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",  # another hash
    ],
)
def test_what_is_no_content_address_is_refused_by_value(text: str) -> None:
    with pytest.raises(AddressError, match="is no content address; a CIDv1 in base32"):
        digest(text)


def test_one_content_has_one_address() -> None:
    # The last digit of a CID carries two bits that are not part of it; they must be 0.
    with pytest.raises(AddressError):
        digest(PROFILE[0][:-1] + "v")
