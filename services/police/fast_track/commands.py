"""One tap: somebody sees her now. It is kept where looks at her case are, because it is one, and asks for nothing else."""

from uuid import UUID

from services.police.fast_track.domain import SEEN_NOW, has_fast_track
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.errors import NotFound


async def see_now(case_id: UUID, tx: Transaction, here: Here, by: Actor) -> UUID:
    """Keeps that somebody began to see her; returns the case's id. Raises OutOfSight, and NotFound where the programme has no such
    rule."""
    by.may_work()
    only_where_there_is_one(here)
    case = await load_case(tx, case_id, by)
    await note_read(tx, case.id, by, SEEN_NOW)
    return case.id


def only_where_there_is_one(here: Here) -> None:
    """Raises NotFound where the programme's rules let nobody stand first."""
    if not has_fast_track(here.programme):
        raise NotFound("In this programme nobody is seen before others.")
