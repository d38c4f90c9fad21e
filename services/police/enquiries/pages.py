"""Pages of enquiries, without JavaScript: the word that she chooses, and what is said to whoever asks by telephone."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.complaints.commands import TellHer, tell_her
from services.police.complaints.domain import HowTold, Told
from services.police.complaints.views import register_of
from services.police.enquiries import commands
from services.police.enquiries.commands import Enquire, SetWord
from services.police.enquiries.domain import WORD_CHARACTERS_MAX, ClaimsToBe
from services.police.enquiries.tables import OwnWord
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

SAID_NOTHING = "nothing"  # in the address: what may be told to whoever asked
WORDS = {
    "word": _("Type the word, of four letters or digits at least."), "phone_is_safe": _("Say whether there is one."),
    "number": _("Type the number that the caller says."), "claims_to_be": _("Choose who the caller says to be."),
}  # fmt: skip


class NewWord(Body):
    """The word, never shown again."""

    word: commands.Word
    phone_is_safe: Literal["yes", "no"]


class Asked(Body):
    """What the caller says."""

    number: str
    word: str | None = None
    claims_to_be: ClaimsToBe
    phone_is_safe: Literal["yes", "no"]


@router.get("/cases/{case_id}/own-word")
async def show_word(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Whether there is a word, the form for one, and who has asked by telephone."""
    return await _word(case_id, request, edge, visit, await draft_of(request, visit))


async def _word(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        commands.needs_enquiries(edge.here)
        await note_read(tx, case.id, visit.actor, "own_word")
        own, enquiries = await tx.session.get(OwnWord, case.id), await commands.enquiries_of(tx, case.id)
    return edge.pages.show(
        request, "enquiries/word.html", visit, status=status, form=form, errors=bool(form.errors), case=case, own=own,
        enquiries=enquiries, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/own-word")
async def post_word(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the word."""
    form = fill(NewWord, values, WORDS)
    asked = form.model
    if asked is None:
        return await _word(case_id, request, edge, visit, Filled(_unspoken(values), form.errors), 422)

    async def work(tx: Transaction) -> str:
        body = SetWord(word=asked.word, phone_is_safe=asked.phone_is_safe == "yes")
        await commands.set_word(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/own-word"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _word(case_id, request, edge, visit, Filled(_unspoken(values), {"word": error}), 422)


def _unspoken(values: Values) -> Values:
    """What may stand on a page again: never the word."""
    return {name: found for name, found in values.items() if name != "word"}


@router.get("/enquiry")
async def show_enquiry(request: Request, edge: OneEdge, visit: Visitor, said: str | None = None) -> Response:
    """What a caller says; and, after it, what may be told: nothing."""
    return _enquiry(request, edge, visit, await draft_of(request, visit), said == SAID_NOTHING)


def _enquiry(request: Request, edge: Edge, visit: Visit, form: Filled[Any], is_nothing: bool, status: int = 200) -> Response:
    visit.actor.may_work()
    commands.needs_enquiries(edge.here)
    return edge.pages.show(
        request, "enquiries/enquiry.html", visit, status=status, form=form, errors=bool(form.errors), is_nothing=is_nothing,
        claims=list(ClaimsToBe),
    )  # fmt: skip


@router.post("/enquiry")
async def post_enquiry(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """By her word, how it stands; else one sentence that is the same whoever asks."""
    form = fill(Asked, values, WORDS)
    asked = form.model
    if asked is None or len(asked.number) > commands.NUMBER_CHARACTERS_MAX or len(asked.word or "") > WORD_CHARACTERS_MAX:
        form.errors.update({} if asked is None else {"number": WORDS["number"]})
        return _enquiry(request, edge, visit, Filled(_unspoken(values), form.errors), False, 422)

    async def work(tx: Transaction) -> str:
        body = Enquire(
            number=asked.number, word=asked.word, claims_to_be=asked.claims_to_be, phone_is_safe=asked.phone_is_safe == "yes"
        )
        row = await commands.enquire(body, tx, edge.here, visit.actor)
        await commands.note_asked(tx, row, visit.actor)
        return f"/enquiry/{row.id}" if row.is_answered else f"/enquiry?said={SAID_NOTHING}"

    return await submit(request, edge, visit, values, work)


@router.get("/enquiry/{enquiry_id}")
async def show_answer(enquiry_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """How it stands, for as long as a call takes."""
    async with edge.database.write() as tx:
        row = await commands.load_answered(tx, enquiry_id, visit.actor)
        assert row.case_id is not None
        case = await load_case(tx, row.case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "complaint")
        register = await register_of(tx, edge.here, case)
    return edge.pages.show(request, "enquiries/answer.html", visit, enquiry=row, case=case, register=register)


@router.post("/enquiry/{enquiry_id}/told")
async def post_told(enquiry_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A milestone was told on this call."""

    async def work(tx: Transaction) -> str:
        row = await commands.load_answered(tx, enquiry_id, visit.actor)
        step = values.get("step", [""])[-1]
        if row.case_id is None or not step.isdigit():
            raise Conflict("There is no such step in this case; read it again.")
        body = TellHer(step=int(step), outcome=Told.TOLD, how=HowTold.BY_HER_WORD)
        await tell_her(row.case_id, body, tx, edge.here, visit.actor, said_her_word=True)
        return f"/enquiry/{enquiry_id}"

    return await submit(request, edge, visit, values, work)
