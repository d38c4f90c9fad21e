"""Hearing what agencies have released."""

from services.oversight.figures.tables import HeardRelease
from shared.casework.figures.cells import unpacked
from shared.casework.figures.domain import CUBES, DIMENSIONS, PLACE
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction

CHAINS = {cube.id: cube.chain for cube in CUBES}


def check_tables(word: events.FiguresReleased) -> None:
    """Raises Unauthorised where a release has other tables than those that are fixed for everybody: no page could show them, and
    a category that nobody knows may be anything, also the id of a case. Places are the sender's own names."""
    for cube in word.cubes:
        chain, told = CHAINS.get(cube.cube), tuple(one.dimension for one in cube.chain)
        if chain is None or (told and not any(chain[n : n + len(told)] == told for n in range(len(chain)))):
            raise Unauthorised("It has other tables than figures are released in.")
        for one in cube.chain:
            if one.dimension != PLACE and not set(one.categories) <= set(DIMENSIONS[one.dimension]):
                raise Unauthorised("It has categories that are not counted: one of the two ends is to be brought up to date.")


async def on_figures_released(received: Received, tx: Transaction, _here: Here) -> None:
    """A release is kept beside those before it. What was released once is not said again with other numbers."""
    word: events.FiguresReleased = received.data
    check_tables(word)
    shown = unpacked(word.cubes)
    known = await tx.session.get(HeardRelease, (received.sender, word.period, word.release), populate_existing=True)
    if known is not None and known.shown != shown:
        raise Unauthorised("This release was told already, with other numbers; a correction is a release of its own.")
    if known is None:
        tx.session.add(
            HeardRelease(agency=received.sender, period=word.period, number=word.release, programme=word.programme,
                         formulas=word.formulas, shown=shown, said_at=received.occurred_at),
        )  # fmt: skip
        await tx.session.flush()
