"""The page of a return: questions, her own answer after them, that she went, and the end, without JavaScript."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.social_welfare.returns import commands
from services.social_welfare.returns.commands import AnswerReturn, AssessReturn, EndReturn, WentBack
from services.social_welfare.returns.domain import Ending, Question, Where, dangers
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import NoteText, load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import Ternary
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class Assessed(Body):
    """Where to; the answers stand beside it, each under its own name."""

    where: Where
    note: NoteText | None = None


class HerAnswer(Body):
    """Whether she wants to go, and how she said it."""

    agrees: Ternary
    how: codes.ConsentHow
    language: events.LanguageTag
    interpreter: str | None = None


class Ended(Body):
    """Why it is over."""

    why: Ending


WORDS = {"where": _("Choose where to."), "note": _("The note is too long.")}
ANSWER_WORDS = {
    "agrees": _("Say whether going back is wanted."), "how": _("Say how the answer was given."),
    "language": _("Choose the language in which it was explained."),
}  # fmt: skip


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where a return is."""
    return [(f"/cases/{case.id}/return", _("Going back"))]


@router.get("/cases/{case_id}/return")
async def show_return(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """How far a return is, and what is next."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "return")
        found = await commands.returns_of(tx, case.id)
    row = found[0] if found and found[0].state not in commands.ENDED else None
    given = {str(name): str(value) for name, value in ((row.asked or {}).get("answers", {}) if row is not None else {}).items()}
    return edge.pages.show(
        request, "returns/return.html", visit, status=status, form=form, errors=bool(form.errors), case=case, row=row,
        earlier=found[1:] if row is not None else found, questions=list(Question), given=given,
        dangers=dangers(given) if given else [], wheres=list(Where), hows=commands.HOWS, endings=list(Ending),
        days=edge.here.programme.return_visit_days, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/return")
async def post_assessment(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps what was asked."""
    form = fill(Assessed, values, WORDS)
    answered: dict[Question, Ternary] = {}
    for question in Question:
        said = values.get(str(question), [""])[-1]
        if said in set(Ternary):
            answered[question] = Ternary(said)
        else:
            form.error(str(question), _("Answer this question too; “not known” is an answer."))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = AssessReturn(where=asked.where, answers=answered, note=asked.note)
        await commands.assess(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/return"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/return/answer")
async def post_answer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps her own answer."""
    form = fill(HerAnswer, values, ANSWER_WORDS)
    asked = form.model
    if asked is not None and asked.agrees is Ternary.UNKNOWN:
        form.error("agrees", ANSWER_WORDS["agrees"])
    if asked is not None and asked.how not in commands.HOWS:
        form.error("how", ANSWER_WORDS["how"])
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = AnswerReturn(
            agrees=asked.agrees is Ternary.YES, how=asked.how, language=asked.language, interpreter=asked.interpreter is not None
        )
        await commands.keep_answer(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/return"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/return/went")
async def post_went(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """She went: one tap."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        await commands.went_back(case_id, WentBack(), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/visits"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/return/end")
async def post_end(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """It is over: one tap says why."""
    visit.actor.may_work()
    form = fill(Ended, values, {})

    async def work(tx: Transaction) -> str:
        await load_case(tx, case_id, visit.actor)
        if form.model is None:
            raise Conflict(_("Choose why it is over."))
        await commands.end_return(case_id, EndReturn(why=form.model.why), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/return"

    return await submit(request, edge, visit, values, work)
