"""Hearing what agencies have released."""

from services.oversight.figures.tables import HeardRelease
from shared.casework.figures.cells import unpacked
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction


async def on_figures_released(received: Received, tx: Transaction, _here: Here) -> None:
    """A release is kept beside those before it. What was released once is not said again with other numbers."""
    word: events.FiguresReleased = received.data
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
