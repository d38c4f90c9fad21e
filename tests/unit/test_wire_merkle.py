"""The stream's tree against RFC 6962's published vectors and an independent implementation."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency

from shared.contracts.wire.merkle import (
    EMPTY_ROOT,
    Frontier,
    completed,
    consistency_spans,
    inclusion_spans,
    is_extended,
    is_included,
    joined,
    leaf_of,
    perfect_parts,
    root_of,
)

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


# --- proofs ------------------------------------------------------------------------------------------------------------------

PROVED_MAX = 70  # every pair of sizes up to here, so that each shape of an edge is met

# The reference tests' paths over the eight leaves of certificate-transparency's merkle_tree_test: (leaf, size, hashes).
CT_PATHS = [
    (1, 1, []),
    (
        1, 8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6, 8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2, 5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]  # fmt: skip
CT_CONSISTENCY = [
    (1, 1, []),
    (
        1, 8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6, 8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2, 5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]  # fmt: skip


def _leaves(size: int) -> list[bytes]:
    return [_leaf(index.to_bytes(2)) for index in range(size)]


def _subproof(earlier: int, leaves: list[bytes], *, is_whole: bool) -> list[bytes]:
    """RFC 6962 §2.1.2, word for word."""
    if earlier == len(leaves):
        return [] if is_whole else [root_of(leaves)]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    if earlier <= middle:
        return [*_subproof(earlier, leaves[:middle], is_whole=is_whole), root_of(leaves[middle:])]
    return [*_subproof(earlier - middle, leaves[middle:], is_whole=False), root_of(leaves[:middle])]


def _roots(leaves: list[bytes], spans: list[tuple[int, int]]) -> list[bytes]:
    return [root_of(leaves[first:end]) for first, end in spans]


@pytest.mark.parametrize(("number", "size", "path"), CT_PATHS)
def test_paths_equal_the_published_vectors(number: int, size: int, path: list[str]) -> None:
    leaves = [_leaf(entry) for entry in CT_LEAVES[:size]]
    proof = _roots(leaves, inclusion_spans(number - 1, size))
    assert [part.hex() for part in proof] == path
    assert is_included(leaves[number - 1], number - 1, size, proof, bytes.fromhex(CT_ROOTS[size - 1]))


@pytest.mark.parametrize(("earlier", "size", "path"), CT_CONSISTENCY)
def test_proofs_of_growth_equal_the_published_vectors(earlier: int, size: int, path: list[str]) -> None:
    leaves = [_leaf(entry) for entry in CT_LEAVES[:size]]
    proof = _roots(leaves, consistency_spans(earlier, size))
    assert [part.hex() for part in proof] == path
    assert is_extended(earlier, bytes.fromhex(CT_ROOTS[earlier - 1]), size, bytes.fromhex(CT_ROOTS[size - 1]), proof)


def test_every_leaf_of_every_small_tree_is_proved_and_nothing_else_is() -> None:
    oracle, leaves = InmemoryTree(algorithm="sha256"), _leaves(PROVED_MAX)
    for size in range(1, PROVED_MAX + 1):
        oracle.append_entry((size - 1).to_bytes(2))
        root = root_of(leaves[:size])
        assert root == oracle.get_root()
        for index in range(size):
            proof = _roots(leaves, inclusion_spans(index, size))
            assert is_included(leaves[index], index, size, proof, root)
            # pymerkle's path begins with the leaf itself.
            assert [bytes.fromhex(h) for h in oracle.prove_inclusion(index + 1, size).serialize()["path"]][1:] == proof
            assert not is_included(leaves[(index + 1) % PROVED_MAX], index, size, proof, root)
            assert not is_included(leaves[index], index, size, [*proof, root], root)
            assert not any(is_included(leaves[index], other, size, proof, root) for other in range(size) if other != index)
            for place in range(len(proof)):
                assert not is_included(leaves[index], index, size, [*proof[:place], b"\0" * 32, *proof[place + 1 :]], root)


def test_every_small_tree_is_proved_to_begin_as_every_smaller_one_and_no_other_is() -> None:
    oracle, leaves = InmemoryTree(algorithm="sha256"), _leaves(PROVED_MAX)
    other = [leaves[0][::-1], *leaves[1:]]
    for size in range(PROVED_MAX + 1):
        if size:
            oracle.append_entry((size - 1).to_bytes(2))
        root = root_of(leaves[:size])
        for earlier in range(size + 1):
            proof, earlier_root = _roots(leaves, consistency_spans(earlier, size)), root_of(leaves[:earlier])
            assert is_extended(earlier, earlier_root, size, root, proof)
            assert not is_extended(earlier, b"\1" * 32, size, root, proof)
            if 0 < earlier < size:
                assert not is_extended(earlier, earlier_root, size, b"\1" * 32, proof)
                forged = _roots(other, consistency_spans(earlier, size))
                assert not is_extended(earlier, earlier_root, size, root_of(other[:size]), forged)
                assert proof == _subproof(earlier, leaves[:size], is_whole=True)
                verify_consistency(earlier_root, root, oracle.prove_consistency(earlier, size))  # raises where it does not hold
            for place in range(len(proof)):
                assert not is_extended(earlier, earlier_root, size, root, [*proof[:place], b"\0" * 32, *proof[place + 1 :]])


def test_a_stretchs_root_is_joined_from_the_subtrees_that_growing_completes() -> None:
    leaves, frontier, known = _leaves(PROVED_MAX), Frontier(), dict[tuple[int, int], bytes]()
    for leaf in leaves:
        frontier, made = completed(frontier, leaf)
        known |= dict(made)
    assert frontier.root() == root_of(leaves)
    for size in range(1, PROVED_MAX + 1):
        spans = {span for index in range(size) for span in inclusion_spans(index, size)}
        spans |= {span for earlier in range(size) for span in consistency_spans(earlier, size)}
        for first, end in spans:
            assert joined([known[part] for part in perfect_parts((first, end))]) == root_of(leaves[first:end])
