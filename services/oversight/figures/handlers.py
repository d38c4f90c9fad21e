"""Hearing what agencies have released."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

from services.oversight.figures.tables import HeardRelease
from shared.casework.figures.cells import unpacked
from shared.casework.figures.domain import CUBES, DIMENSIONS, PLACE, UNKNOWN, key, keys_of
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction

CHAINS = {cube.id: cube.chain for cube in CUBES}


CODED = re.compile(r"[a-z]+(_[a-z]+)*")  # as every category that is counted is written; no id has the shape


def check_tables(word: events.FiguresReleased) -> None:
    """Raises Unauthorised where a release has other tables than those that are fixed for everybody: no page could show them, and
    a category that nobody knows may be anything, also the id of a case. Places are the sender's own names. What a newer neighbour
    counts by itself, and has the shape of a code, is no reason to lose the rest: `gathered` adds it to what is not known."""
    for cube in word.cubes:
        chain, told = CHAINS.get(cube.cube), tuple(one.dimension for one in cube.chain)
        if chain is None or (told and not any(chain[n : n + len(told)] == told for n in range(len(chain)))):
            raise Unauthorised("It has other tables than figures are released in.")
        for one in cube.chain:
            foreign = set(one.categories) - set(DIMENSIONS[one.dimension]) if one.dimension != PLACE else set()
            if foreign and (UNKNOWN not in DIMENSIONS[one.dimension] or not all(map(CODED.fullmatch, foreign))):
                raise Unauthorised("It has categories that are not counted: one of the two ends is to be brought up to date.")


def gathered(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Released cubes with every category that is not known here counted as unknown. Sums of published numbers say nothing new, and
    where one of them is hidden the sum is."""
    return {cube: one if one is None else _gathered(one) for cube, one in shown.items()}


def _gathered(one: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, dict[str, list[str]]] = {}
    for dimension, categories in one["categories"].items():
        known = set(categories) if dimension == PLACE else set(DIMENSIONS[dimension])
        here = parts.setdefault(dimension, {})
        for category in categories:
            here.setdefault(category if category in known else UNKNOWN, []).append(category)
    chain, kept = list(parts), {dimension: list(found) for dimension, found in parts.items()}
    values: dict[str, int | None] = {}
    for key_ in keys_of(chain, {dimension: tuple(found) for dimension, found in kept.items()}):
        pairs = [part.split("=", 1) for part in key_.split("|")] if key_ else []
        of = [[(dimension, was) for was in parts[dimension][category]] for dimension, category in pairs]
        numbers = [one["values"][key(*cell)] for cell in product(*of)]
        values[key_] = None if None in numbers else sum(numbers)
    return {"categories": kept, "values": values}


async def on_figures_released(received: Received, tx: Transaction, _here: Here) -> None:
    """A release is kept beside those before it. What was released once is not said again with other numbers."""
    word: events.FiguresReleased = received.data
    check_tables(word)
    shown = gathered(unpacked(word.cubes))
    known = await tx.session.get(HeardRelease, (received.sender, word.period, word.release), populate_existing=True)
    if known is not None and known.shown != shown:
        raise Unauthorised("This release was told already, with other numbers; a correction is a release of its own.")
    if known is None:
        tx.session.add(
            HeardRelease(agency=received.sender, period=word.period, number=word.release, programme=word.programme,
                         formulas=word.formulas, shown=shown, said_at=received.occurred_at),
        )  # fmt: skip
        await tx.session.flush()
