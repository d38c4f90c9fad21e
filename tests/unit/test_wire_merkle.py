"""The stream's tree against RFC 6962's published vectors and an independent implementation."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier, leaf_of, root_of

# The eight leaves and roots of the certificate-transparency reference tests (RFC 6962 §2.1.3 shape).
CT_LEAVES = [
    bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def _leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_equal_the_published_vectors(size: int) -> None:
    assert root_of([_leaf(entry) for entry in CT_LEAVES[:size]]).hex() == CT_ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == hashlib.sha256().digest()


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_roots_equal_an_independent_implementation(entries: list[bytes]) -> None:
    oracle = InmemoryTree(algorithm="sha256")
    for entry in entries:
        oracle.append_entry(entry)
    if entries:
        assert root_of([_leaf(entry) for entry in entries]) == oracle.get_root()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.integers(0, 40))
def test_a_stored_frontier_goes_on_where_it_stopped(leaves: list[bytes], stop: int) -> None:
    stop = min(stop, len(leaves))
    frontier = Frontier()
    for leaf in leaves[:stop]:
        frontier = frontier.append(leaf)
    frontier = Frontier.from_bytes(stop, frontier.to_bytes())
    for leaf in leaves[stop:]:
        frontier = frontier.append(leaf)
    assert frontier.root() == root_of(leaves)


def test_a_frontier_column_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="holds 2 hashes"):
        Frontier.from_bytes(3, b"\0" * 32)


def test_the_salt_hides_the_event_from_its_leaf() -> None:
    assert leaf_of(b"event", b"a" * 16) != leaf_of(b"event", b"b" * 16)
