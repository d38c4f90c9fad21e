"""Released cubes as they travel: numbers in the order of their keys, without the keys."""

from collections.abc import Mapping
from typing import Any

from shared.casework.figures.domain import keys_of
from shared.contracts.casework.events import CubeDimension, ReleasedCube


def packed(shown: Mapping[str, Any], chains: Mapping[str, tuple[str, ...]]) -> tuple[ReleasedCube, ...]:
    """What was published, cube by cube, as the contract has it; `chains`: the dimensions of each, in their order."""
    found = []
    for id_, chain in chains.items():
        one = shown.get(id_)
        there = tuple(d for d in chain if one is not None and d in one["categories"])
        if one is None:
            found.append(ReleasedCube(cube=id_))
            continue
        categories = {d: tuple(one["categories"][d]) for d in there}
        numbers = tuple(one["values"][key] for key in keys_of(there, categories))
        dimensions = tuple(CubeDimension(dimension=d, categories=categories[d]) for d in there)
        found.append(ReleasedCube(cube=id_, chain=dimensions, numbers=numbers))
    return tuple(found)


def unpacked(cubes: tuple[ReleasedCube, ...]) -> dict[str, Any]:
    """The same as an agency keeps it: categories, and numbers by key; null where a cube was withheld."""
    found: dict[str, Any] = {}
    for one in cubes:
        categories = {d.dimension: tuple(d.categories) for d in one.chain}
        keys = keys_of([d.dimension for d in one.chain], categories)
        found[one.cube] = (
            {"categories": {d: list(c) for d, c in categories.items()}, "values": dict(zip(keys, one.numbers, strict=True))}
            if one.numbers else None
        )  # fmt: skip
    return found
