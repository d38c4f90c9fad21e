"""Pages: the conferences of a desk and of a case, one conference with its answers and decisions, without JavaScript."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import NoteText, load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.conferences import commands, views
from shared.casework.conferences.commands import AnswerInvitation, CallConference, ConcludeConference
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.sharing import ConsentMissing
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgendaItem, ConferenceAnswer, ConferenceDecision, ConferenceOutcome
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

DECISION_ROWS = 4  # of the form; a page of 320 px shows as many without end, and more are added through a further conference


class NewConference(Body):
    """When, where, of what, and who is asked."""

    on_date: date
    part: codes.DayPart
    agenda: tuple[AgendaItem, ...] = Field(min_length=1)
    agencies: tuple[str, ...] = Field(min_length=1)
    note: NoteText | None = None


class Concluded(Body):
    """What became of it; the decisions stand in rows beside it."""

    outcome: ConferenceOutcome
    note: NoteText | None = None


WORDS = {
    "on_date": _("Choose the day of the conference."), "part": _("Choose the part of the day."),
    "agenda": _("Choose what is spoken of."), "agencies": _("Choose who is asked."),
    "note": _("The note is too long."),
}  # fmt: skip
DECISION_WORDS = _("Complete this decision: what it is under, what is done, who sees to it and until when.")


@router.get("/conferences")
async def show_open(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Conferences that are to come, or of which nobody said what became of them."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        found = await views.open_ones(tx, visit.actor)
        await note_listed(tx, {case.id for _row, case in found}, visit.actor)
    return edge.pages.show(request, "conferences/open.html", visit, rows=found, here_now="/work")


@router.get("/cases/{case_id}/conferences")
async def show_of_case(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The conferences of a case, and calling one."""
    return await _of_case(case_id, request, edge, visit, await draft_of(request, visit))


async def _of_case(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "conferences")
        found = await views.conferences_of(tx, edge.here, case.id)
        may_call = views.may_call(edge.here)
        asked = await views.may_be_asked(tx, edge.here, case.id) if may_call else []
    return edge.pages.show(
        request, "conferences/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, found=found,
        may_call=may_call, asked=asked, items=list(AgendaItem), parts=list(codes.DayPart), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/conferences")
async def post_conference(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Asks each agency."""
    form = fill(NewConference, values, WORDS)
    asked = form.model
    if asked is None:
        return await _of_case(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        command = CallConference(
            on_date=asked.on_date, part=asked.part, agenda=asked.agenda, agencies=asked.agencies, note=asked.note
        )
        row = await commands.call_conference(case_id, command, tx, edge.here, visit.actor)
        return f"/conferences/{row.id}"

    try:
        return await submit(request, edge, visit, values, work)
    except ConsentMissing as error:
        return await _of_case(case_id, request, edge, visit, form.error("agencies", error), status=422)
    except ValidationError:
        return await _of_case(case_id, request, edge, visit, form.error("agencies", WORDS["agencies"]), status=422)
    except Conflict as error:
        name = "on_date" if error.sentence == commands.WRONG_DAY else "agencies"
        return await _of_case(case_id, request, edge, visit, form.error(name, error), status=422)


@router.get("/conferences/{conference_id}")
async def show_conference(conference_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One conference: what is known of it here, and what is to be done."""
    return await _page(conference_id, request, edge, visit, await draft_of(request, visit))


async def _page(conference_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    async with edge.database.write() as tx:  # the look is kept
        row = await commands.load_conference(tx, conference_id, visit.actor)
        case = await load_case(tx, row.case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "conferences")
        one = await views.shown(tx, edge.here, row)
    ours = row.caller == edge.here.agency
    responsible = [edge.here.agency, *(asked.agency for asked in one.invitations if asked.withdrawn_at is None)]
    return edge.pages.show(
        request, "conferences/conference.html", visit, status=status, form=form, errors=bool(form.errors), case=case, row=row,
        invitations=one.invitations, is_ours=ours, rows=range(DECISION_ROWS), responsible=responsible,
        decisions=list(ConferenceDecision), outcomes=list(ConferenceOutcome), here_now="/cases",
    )  # fmt: skip


@router.post("/conferences/{conference_id}/answer")
async def post_answer(conference_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Comes, or cannot: one tap."""
    visit.actor.may_work()
    form = fill(AnswerInvitation, values, {"answer": _("Say whether this agency comes.")})

    async def work(tx: Transaction) -> str:
        await commands.load_conference(tx, conference_id, visit.actor)
        answer = form.model or AnswerInvitation(answer=ConferenceAnswer.CANNOT_COME)
        if form.model is None:
            raise Conflict(_("Say whether this agency comes."))
        await commands.answer_invitation(conference_id, answer, tx, edge.here, visit.actor)
        return f"/conferences/{conference_id}"

    return await submit(request, edge, visit, values, work)


def _decisions(form: Filled[Any], values: Values) -> list[events.Decided]:
    """The rows that somebody wrote in; what is wrong is named at its row."""
    found = []
    for row in range(DECISION_ROWS):
        given = {name: values.get(f"{name}_{row}", [""])[-1] for name in ("item", "code", "responsible", "due_on")}
        if any(given.values()):
            try:
                found.append(events.Decided.model_validate(given))
            except ValidationError:
                form.error(f"code_{row}", DECISION_WORDS)
    return found


@router.post("/conferences/{conference_id}")
async def post_conclude(conference_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What became of it."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        await commands.load_conference(tx, conference_id, visit.actor)
    form = fill(Concluded, values, {"outcome": _("Say what became of it."), "note": WORDS["note"]})
    decided = _decisions(form, values)
    asked = form.model
    if asked is not None and asked.outcome is not ConferenceOutcome.HELD and decided:
        form.error("outcome", _("A conference that was called off decided nothing."))
    if asked is None or form.errors:
        return await _page(conference_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = ConcludeConference(outcome=asked.outcome, decisions=tuple(decided), note=asked.note)
        await commands.conclude_conference(conference_id, command, tx, edge.here, visit.actor)
        return f"/conferences/{conference_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(conference_id, request, edge, visit, Filled(values, {"outcome": error}), status=422)
