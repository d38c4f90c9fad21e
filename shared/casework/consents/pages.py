"""Pages: asking her, one question a recipient, read aloud; and taking a consent back.

No answer is chosen beforehand, and nothing measures how long she takes. What is ticked beforehand tells nothing without a yes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import keep_safe_hours, load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_read
from shared.casework.consents import commands
from shared.casework.consents.commands import RecordConsent
from shared.casework.consents.her_own import Caregiver, StandIn, is_child, keep_childs_word, keep_counted
from shared.casework.consents.refusing import Refused, is_told_by_law, refuse, take_back_alone
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.consents.views import her_last_answers, is_no, last_answers
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Here
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.pages.words import ASKED
from shared.casework.paper.commands import sheets_of, written_at
from shared.casework.referrals import drafts
from shared.casework.referrals.commands import issue_referral
from shared.casework.referrals.drafts import THINK, Step, as_drafted
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgencyKind, Basis, ConsentHow, ConsentItem, LegalDuty, Purpose, SafeHours, Ternary
from shared.contracts.casework.minimal_data import AGENDA_CROSSES, CROSSES, PROGRESS_CROSSES, REFERRAL_PROGRESS_CROSSES
from shared.exchange.clearing import BACKUP_WINDOW
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Sentence
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _
from shared.programmes.profile import CONSENT_DAYS

router = APIRouter(include_in_schema=False)

PURPOSES = {
    AgencyKind.HEALTH: Purpose.CARE, AgencyKind.SOCIAL_WELFARE: Purpose.SUPPORT, AgencyKind.POLICE: Purpose.PROTECTION,
    AgencyKind.PARTNER: Purpose.SUPPORT, AgencyKind.JUSTICE: Purpose.JUSTICE, AgencyKind.OVERSIGHT: Purpose.STATISTICS,
}  # fmt: skip
CHANGEABLE = (ConsentItem.NEEDS, ConsentItem.GIVEN, ConsentItem.TYPE, ConsentItem.SAFETY, ConsentItem.PROG, ConsentItem.RELAY)


UNTIL_TAKEN_BACK = "never"  # instead of a number of days
OF_A_CHILD = {
    "assent": _("Ask the child too, and mark the answer."),
    "caregiver": _("Say whether the adult who looks after the child is safe."),
    "stands_in": _("Say which kind of adult stands in, or that nobody was found yet."),
}
CHILD_SAYS_NO = _("The child says no: mark no above. Only what the law asks for is told then.")
ENDED = _("By now that is over: what stands on the sheet was answered longer ago. Choose a longer time, or ask again.")
NEVER = "-"  # which answer a page was shown with, where there was none
WORDS = {"how": _("Say how she or he answered."), "language": _("Choose the language it was read in.")}
AGAIN = {  # what she says of every recipient at once, and what is said where it is missing
    "answer_back": _("Back to us: ask, and mark the answer, yes or no."),
    "safe_hours": _("Messages need both: for whom they are passed on, and when it is safe. Or leave both empty."),
}
SAFE_HOURS = (SafeHours.MORNING, SafeHours.AFTERNOON, SafeHours.EVENING)  # "never" is no yes to messages


class AnsweredSince(Exception):
    """A question was answered since the page was shown: what is marked on it was said before."""


class HowAnswered(Body):
    """How she answered, once for all questions."""

    how: ConsentHow
    language: events.LanguageTag
    interpreter: Literal["yes", "no"] = "no"
    safe_hours: Literal["morning", "afternoon", "evening"] | None = None
    assent: Ternary | None = None
    caregiver: Caregiver | None = None
    stands_in: StandIn | None = None
    not_counted: Literal["yes"] | None = None
    ends: Literal["30", "91", "182", "365", "never"] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One recipient's question. `preset` is the programme's least, `offered` what she may add or leave out, each with the words in
    `spoken` that are read to her for it."""

    recipient: str
    kind: AgencyKind
    preset: tuple[ConsentItem, ...]
    offered: tuple[ConsentItem, ...]
    by_law: bool
    spoken: dict[ConsentItem, str]

    def ticked(self, her_last: Consent | Refusal | None) -> tuple[ConsentItem, ...]:
        """What the page has ticked before she is asked: the programme's least, or what she agreed to last; after a no nothing."""
        if her_last is None:
            return self.preset
        agreed = () if isinstance(her_last, Refusal) or is_no(her_last) else her_last.items
        return tuple(item for item in self.offered if item in agreed)

    @property
    def passes_messages(self) -> bool:
        """Whether this recipient may ask this agency to pass a message on."""
        return ConsentItem.RELAY in self.offered


def questions(here: Here, case: Case, *, was_given: bool) -> list[Question]:
    """The questions for a case, in the order of the network's peers. `was_given`: a product was given before care."""
    found = []
    for peer in here.serving:
        kind = here.kind_of(peer)
        crossing = set(CROSSES.get((here.kind, kind), {}).values()) | set(PROGRESS_CROSSES.get((here.kind, kind), {}).values())
        if (here.kind, kind) in REFERRAL_PROGRESS_CROSSES:
            crossing.add(ConsentItem.PROG)
        if here.kind is AgencyKind.POLICE and not was_given:
            crossing.discard(ConsentItem.GIVEN)  # nothing is read aloud that there is not
        spoken_of = {ConsentItem(item) for item in AGENDA_CROSSES.get((here.kind, kind), ())}  # where those who help her meet
        offered = tuple(item for item in CHANGEABLE if item in crossing | spoken_of)
        presets = {ConsentItem(item) for item in here.programme.consent_presets.get(kind, ())}
        found.append(
            Question(
                peer, kind, tuple(i for i in offered if i in presets & crossing), offered, is_told_by_law(here, case, peer),
                {item: _spoken(here.kind, kind, item) for item in offered if item is not ConsentItem.RELAY},
            )
        )  # fmt: skip
    # The clinic first: care may not wait for the others.
    return sorted(found, key=lambda q: (q.kind is not AgencyKind.HEALTH, q.recipient))


def _spoken(here: AgencyKind, to: AgencyKind, item: ConsentItem) -> str:
    """Which words of the group "spoken" say what an item lets pass in this direction."""
    rows = CROSSES.get((here, to), {})
    if str(item) in map(str, AGENDA_CROSSES.get((here, to), ())):
        return f"meeting_{item}"
    match item:
        case ConsentItem.NEEDS if "dependants" in rows:
            return "needs_with"
        case ConsentItem.TYPE if to is not AgencyKind.HEALTH:
            return "type_gbv"
        case ConsentItem.GIVEN if "given" not in rows:
            return "given_mind"
        case ConsentItem.PROG if here is AgencyKind.JUSTICE:
            return "prog_court"
        case ConsentItem.PROG if ConsentItem.PROG not in PROGRESS_CROSSES.get((here, to), {}).values():
            return "prog_places"
    return str(item)


async def _was_given(tx: Transaction, case: Case) -> bool:
    given = (await tx.session.execute(select(col(Incident.given)).where(col(Incident.case_id) == case.id))).scalars()
    return any(given)


async def _context(
    tx: Transaction, here: Here, case: Case, asked: list[Question], last: dict[str, Consent | Refusal]
) -> dict[str, Any]:
    no = {recipient: _when(answer) for recipient, answer in last.items() if is_no(answer)}
    yes = {recipient: answer for recipient, answer in last.items() if recipient not in no}
    cannot_answer = any(question.kind is AgencyKind.HEALTH for question in asked)  # only care may go before her answer
    return {"case": case, "questions": asked, "seen": _seen(last), "safe_hours": SAFE_HOURS, "cannot_answer": cannot_answer,
            "spans": (*map(str, CONSENT_DAYS), UNTIL_TAKEN_BACK),
            "is_child": is_child(case), "caregivers": list(Caregiver), "stand_ins": list(StandIn),
            "span": str(here.programme.consent_days or UNTIL_TAKEN_BACK),
            "here_now": "/cases", "asked_words": ASKED, "said_yes": yes, "said_no": no,
            "her_last": await her_last_answers(tx, case.id)}  # fmt: skip


def _seen(last: dict[str, Consent | Refusal]) -> dict[str, str]:
    """By recipient, which answer a page was shown with: it goes back with the page."""
    return {recipient: f"{answer.id.hex}{'_no' if is_no(answer) else ''}" for recipient, answer in last.items()}


def _outdated(asked: list[Question], values: Values, last: dict[str, Consent | Refusal]) -> list[Question]:
    """The questions that were answered otherwise since the page was shown: what is marked on it was said before."""
    seen = _seen(last)
    shown = {q.recipient: values.get(f"seen_{q.recipient}", [None])[-1] for q in asked}
    return [q for q in asked if shown[q.recipient] is not None and shown[q.recipient] != seen.get(q.recipient, NEVER)]


def _to_ask_again(form: Filled[Any], asked: list[Question], last: dict[str, Consent | Refusal]) -> Filled[Any]:
    """The form without the answers that are outdated. What comes back and when a message is safe was said with any of them."""
    outdated = [f"answer_{question.recipient}" for question in _outdated(asked, form.values, last)]
    gone = {*outdated, *AGAIN} if outdated else set()
    return Filled({name: found for name, found in form.values.items() if name not in gone}, form.errors, form.model)


def _when(no: Consent | Refusal) -> datetime | None:
    return no.said_at if isinstance(no, Refusal) else no.taken_back_at


@router.get("/cases/{case_id}/consent")
async def show_consent(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Page 2 of 3: who may know."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "consents")
        asked = questions(edge.here, case, was_given=await _was_given(tx, case))
        last = await last_answers(tx, case.id)
        drafted = await drafts.draft_at(tx, case.id, Step.CONSENT)
        context = await _context(tx, edge.here, case, asked, last) | {"sheets": await sheets_of(tx, case.id)}
    form = as_drafted(_to_ask_again(await draft_of(request, visit), asked, last), drafted)
    return edge.pages.show(request, "consents/ask.html", visit, form=form, drafted=drafted, **context)


@router.post("/cases/{case_id}/consent")
async def post_consent(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps every answer; page 3 chooses care and place. Where she wants to think, the page is kept beside what she answered."""
    async with edge.database.read() as tx:
        case = await load_case(tx, case_id, visit.actor)
        asked = questions(edge.here, case, was_given=await _was_given(tx, case))
        said_at = await written_at(tx, case_id, visit.actor) or tx.clock.now()
        now = tx.clock.now()
    think = THINK in values
    form = fill(HowAnswered, values, WORDS)
    if form.model is not None and (ends := _ends_at(form.model, said_at, edge.here)) is not None and ends <= now:
        form.error("ends", ENDED)
    if think and not any(name.startswith("answer_") for name in values):
        return await submit(request, edge, visit, values, partial(_keep, case_id, asked, values, edge, visit))
    if not think:  # whoever wants to think need not have answered all of them
        _check(form, asked, values)
    if is_child(case):
        _check_child(form, asked, values)
    answered = form.model
    if answered is None or form.errors:
        return await _asked_again(case_id, request, edge, visit, form)

    async def work(tx: Transaction) -> str:
        await tx.in_turn(commands.answers_about(case_id))
        if _outdated(asked, values, await last_answers(tx, case_id)):
            raise AnsweredSince
        await _keep_answers(case_id, asked, values, answered, edge, visit, tx)
        if think:
            return await _keep(case_id, asked, values, edge, visit, tx)
        await drafts.forget_drafts(tx, case_id, Step.CONSENT)
        return f"/cases/{case_id}/refer"

    try:
        return await submit(request, edge, visit, values, work)
    except AnsweredSince:  # only then: a second tap goes where the first one went
        return await _asked_again(case_id, request, edge, visit, form)


async def _keep_answers(
    case_id: UUID, asked: list[Question], values: Values, answered: HowAnswered, edge: Edge, visit: Visit, tx: Transaction
) -> None:
    given_at = await written_at(tx, case_id, visit.actor)
    ends_at = _ends_at(answered, given_at or tx.clock.now(), edge.here)
    refused = [_refused(q, answered, given_at) for q in asked if values.get(f"answer_{q.recipient}", [""])[-1] == "no"]
    told_by_law = await refuse(case_id, refused, tx, edge.here, visit.actor)
    if answered.assent is not None and answered.caregiver is not None:  # before anything is told that says so
        await keep_childs_word(case_id, answered.assent, answered.caregiver, answered.stands_in, tx, visit.actor)
    is_counted, interpreter = answered.not_counted is None, answered.interpreter == "yes"
    await keep_counted(case_id, is_counted, answered.how, interpreter, given_at, tx, edge.here, visit.actor)
    if answered.safe_hours and _passed_on_for(asked, values):
        await keep_safe_hours(case_id, SafeHours(answered.safe_hours), tx, visit.actor)
    for question in asked:
        command = _consent(question, values, answered, given_at, ends_at)
        if command is not None:
            await commands.record_consent(case_id, command, tx, edge.here, visit.actor)
    for request in told_by_law:
        await issue_referral(request, tx, edge.here, visit.actor)


async def _asked_again(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any]) -> Response:
    """The page with what is wrong on it, and without what is outdated."""
    async with edge.database.read() as tx:
        case = await load_case(tx, case_id, visit.actor)
        asked = questions(edge.here, case, was_given=await _was_given(tx, case))
        last = await last_answers(tx, case.id)
        context = await _context(tx, edge.here, case, asked, last) | {"sheets": await sheets_of(tx, case.id)}
    outdated = {f"answer_{question.recipient}": _answered_since(question) for question in _outdated(asked, form.values, last)}
    with_them = {name: AGAIN[name] for name in AGAIN if outdated and name in form.values}
    form.errors = {**outdated, **with_them, **{name: said for name, said in form.errors.items() if name not in outdated}}
    form = _to_ask_again(form, asked, last)
    return edge.pages.show(request, "consents/ask.html", visit, form=form, errors=True, status=422, **context)


def _passed_on_for(asked: list[Question], values: Values) -> list[str]:
    """For whom messages may be passed on."""
    yes = [q.recipient for q in asked if values.get(f"answer_{q.recipient}", [""])[-1] == "yes"]
    return [recipient for recipient in yes if ConsentItem.RELAY in values.get(f"items_{recipient}", [])]


def _check(form: Filled[HowAnswered], asked: list[Question], values: Values) -> None:
    for question in asked:
        if values.get(f"answer_{question.recipient}", [""])[-1] not in {"yes", "no"}:
            form.error(f"answer_{question.recipient}", _unanswered(question))
    if _wants_back(values, asked) is None:
        form.error("answer_back", AGAIN["answer_back"])
    if bool(_passed_on_for(asked, values)) != ("safe_hours" in values):
        form.error("safe_hours", AGAIN["safe_hours"])


def _check_child(form: Filled[HowAnswered], asked: list[Question], values: Values) -> None:
    """Whoever came along, the child is asked; no yes is kept without the child's own, and none over the child's no."""
    given = {name: values.get(name, [""])[-1] for name in OF_A_CHILD}
    for name in ("assent", "caregiver"):
        if not given[name]:
            form.error(name, OF_A_CHILD[name])
    if given["caregiver"] == Caregiver.NOT_THIS_ONE and not given["stands_in"]:
        form.error("stands_in", OF_A_CHILD["stands_in"])
    if given["assent"] == Ternary.NO and any(values.get(f"answer_{q.recipient}", [""])[-1] == "yes" for q in asked):
        form.error("assent", CHILD_SAYS_NO)


def _unanswered(question: Question) -> Sentence:
    return Sentence(_("%(who)s: ask, and mark the answer, yes or no."), {"who": _named(question)})


def _answered_since(question: Question) -> Sentence:
    return Sentence(
        _("%(who)s: has been answered since this page was opened. Ask once more, and mark the answer."), {"who": _named(question)}
    )


def _named(question: Question) -> Coded:
    # By the heading of its box, so that each of several lines says which question it is.
    return Coded(question.kind, "asked") if question.kind in ASKED else Coded(question.recipient, "agency")


async def _keep(case_id: UUID, asked: list[Question], values: Values, edge: Edge, visit: Visit, tx: Transaction) -> str:
    # Her answers are records of their own, with their time; a draft never answers for her when the page is opened again.
    names = {"language", "interpreter", "safe_hours", "ends", "not_counted", *(f"items_{question.recipient}" for question in asked)}
    await drafts.keep_draft(case_id, Step.CONSENT, values, names, tx, edge.here, visit.actor)
    return f"/cases/{case_id}"


def _wants_back(values: Values, asked: list[Question]) -> bool | None:
    """Whether the place may tell this desk that she came; only asked where a place may be told of her at all."""
    if all(values.get(f"answer_{q.recipient}", [""])[-1] == "no" for q in asked):
        return False
    said = values.get("answer_back", [""])[-1]
    return {"yes": True, "no": False}.get(said)


def _refused(question: Question, answered: HowAnswered, said_at: datetime | None) -> Refused:
    return Refused(
        question.recipient, answered.how, answered.language, answered.interpreter == "yes", said_at, is_by_law=question.by_law
    )


def _ends_at(answered: HowAnswered, said_at: datetime, here: Here) -> datetime | None:
    """Until when her yes holds, from when she said it; as the programme has it where a page did not ask."""
    if answered.ends == UNTIL_TAKEN_BACK:
        return None
    days = int(answered.ends) if answered.ends else here.programme.consent_days
    return said_at + timedelta(days=days) if days is not None else None


def _consent(
    question: Question, values: Values, answered: HowAnswered, given_at: datetime | None, ends_at: datetime | None
) -> RecordConsent | None:
    said = values.get(f"answer_{question.recipient}", [""])[-1]
    common: dict[str, object] = {
        "recipient": question.recipient, "how": answered.how, "language": answered.language,
        "interpreter": answered.interpreter == "yes", "given_at": given_at,
        "legal_duty": LegalDuty.CHILD_PROTECTION_LAW if question.by_law else None,
    }  # fmt: skip
    if said == "yes":
        chosen = set(values.get(f"items_{question.recipient}", []))
        items = [ConsentItem.REQ, *(item for item in question.offered if item in chosen)]
        if values.get("answer_back", [""])[-1] == "yes":
            items.append(ConsentItem.FB)
        return RecordConsent.model_validate(
            {**common, "purpose": PURPOSES[question.kind], "items": tuple(items), "expires_at": ends_at}
        )
    if said == "no" and question.by_law:
        by_law = {"purpose": Purpose.PROTECTION, "items": (ConsentItem.REQ,), "basis": Basis.LEGAL_BASIS}
        return RecordConsent.model_validate({**common, **by_law})
    return None


@router.get("/cases/{case_id}/consents/{consent_id}/take-back")
async def show_take_back(case_id: UUID, consent_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What taking back does, before it is done."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "consents")
        consent = await _load(tx, case, consent_id)
    return edge.pages.show(
        request, "consents/take_back.html", visit, case=case, consent=consent, here_now="/cases",
        by_law=is_told_by_law(edge.here, case, consent.recipient), copies_kept=BACKUP_WINDOW,
    )  # fmt: skip


async def _load(tx: Transaction, case: Case, consent_id: UUID) -> Consent:
    query = select(Consent).where(col(Consent.id) == consent_id, col(Consent.case_id) == case.id)
    consent = (await tx.session.execute(query)).scalar_one_or_none()
    if consent is None:
        raise OutOfSight("The case has no such consent.", consent_id)
    return consent


@router.post("/cases/{case_id}/consents/{consent_id}/take-back")
async def post_take_back(
    case_id: UUID, consent_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:
    """Takes it back: at once, whatever stands."""
    version = Filled[BaseModel](values).value("version", "0")

    async def work(tx: Transaction) -> str:
        await take_back_alone(case_id, consent_id, tx, edge.here, visit.actor, int(version) if version.isdigit() else 0)
        return f"/cases/{case_id}?done=taken_back"

    return await submit(request, edge, visit, values, work)
