"""The page of outreach: what was held, and writing a session down, without JavaScript."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.social_welfare.outreach import commands
from services.social_welfare.outreach.commands import WriteSession
from services.social_welfare.outreach.domain import AGES, SEXES, SessionKind
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework.codes import AgeBand, Sex
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewSession(Body):
    """What, where and when; how many stands in fields of their own."""

    kind: SessionKind
    district: str | None = None
    held_on: date


WORDS = {"kind": _("Choose what kind of session it was."), "held_on": commands.WRONG_DAY, "district": commands.WRONG_DISTRICT}
HOW_MANY = _("Type a number of people, or leave it empty.")
ABOUT = {commands.WRONG_DAY: "held_on", commands.WRONG_DISTRICT: "district"}


@router.get("/outreach")
async def show_outreach(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was held, and a form for another."""
    return await _page(request, edge, visit, await draft_of(request, visit))


async def _page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    language = edge.pages.language(request, visit.language)
    named = edge.here.programme.districts
    districts = [  # a network may have districts that its programme has no name for
        (id_, named[id_].in_(language, "en") if id_ in named else id_.replace("_", " ").capitalize())
        for id_ in commands.districts(edge.here)
    ]
    async with edge.database.read() as tx:
        rows = await commands.sessions(tx, visit.actor)
    return edge.pages.show(
        request, "outreach/outreach.html", visit, status=status, form=form, errors=bool(form.errors), rows=rows,
        kinds=list(SessionKind), sexes=SEXES, ages=AGES, districts=districts, here_now="/outreach",
    )  # fmt: skip


def _reached(form: Filled[Any], values: Values) -> dict[Sex, dict[AgeBand, int]]:
    found: dict[Sex, dict[AgeBand, int]] = {sex: {} for sex in SEXES}
    for sex in SEXES:
        for age in AGES:
            said = values.get(f"{sex}_{age}", [""])[-1]
            if said.isdecimal() and len(said) < 5:
                found[sex][age] = int(said)
            elif said:
                form.error(f"{sex}_{age}", HOW_MANY)
    return found


@router.post("/outreach")
async def post_session(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it."""
    form = fill(NewSession, values, WORDS)
    reached = _reached(form, values)
    asked = form.model
    if asked is None or form.errors:
        return await _page(request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = WriteSession(kind=asked.kind, district=asked.district, held_on=asked.held_on, reached=reached)
        await commands.write_session(command, tx, edge.here, visit.actor)
        return "/outreach"

    try:
        return await submit(request, edge, visit, values, work)
    except ValidationError:
        return await _page(request, edge, visit, form.error("kind", HOW_MANY), status=422)
    except Conflict as error:
        return await _page(request, edge, visit, form.error(ABOUT.get(error.sentence, "kind"), error), status=422)
