"""What accounts do with referrals: issue, and every transition. Each is decided under the referral's lock."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field, field_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.acts import ask_first
from shared.casework.agreements import views as agreements
from shared.casework.alarms.commands import raise_alarm
from shared.casework.breaches.commands import RecordBreach, record_breach
from shared.casework.breaches.domain import BreachCode, ByWhom, is_free
from shared.casework.cases.commands import Form, NoteText, add_note, happened
from shared.casework.cases.recovering import may_decide
from shared.casework.cases.tables import TOLD_PARTS, Case, Incident
from shared.casework.circles.commands import announce, announcement, history, referral_progress_words, shared_with, tell_members
from shared.casework.circles.tables import CircleMember
from shared.casework.consents.her_own import log_feedback
from shared.casework.here import NOWHERE, Actor, Here, lies_nowhere
from shared.casework.referrals import domain, pathways, story
from shared.casework.referrals.ground import Asked, CaseFacts, Ground, asked_of, stand_on
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral, ReferralFact, SaidAgain
from shared.casework.reports import records as reports
from shared.casework.situations import situation_of
from shared.contracts.casework import codes, events, lifecycle, minimal_data
from shared.contracts.casework.codes import ConsentItem, ReferralState, Urgency
from shared.contracts.casework.lifecycle import Details, MissingDetail, Transition
from shared.exchange import outbox
from shared.exchange.tables import Activity, OutboxRow
from shared.kit.bulk import as_read, insert_together
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound, RefnetError
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.programmes.terms import Act

LEFT_WITHOUT_CARE = frozenset({codes.OutcomeCode.NOT_AVAILABLE, codes.OutcomeCode.NOT_ELIGIBLE})  # an acute end that alarms
# What whoever has a case open in an emergency may do to a request of another desk: she comes, and how, and care begins.
FOR_CARE = frozenset({Transition.ARRIVE, Transition.START, Transition.SET_OUT, Transition.TOLD_BY_PHONE})
MOVES_IT = frozenset({Transition.REDIRECT, Transition.NOT_HERE})
ASKED_AS = {Transition.CLOSE: Act.CLOSE, Transition.REDIRECT: Act.REFER, Transition.SUGGEST: Act.REFER}
PLANNED = _("%(place)s is planned and does not work yet; choose another place.")
RESPOND_BY_MAX = timedelta(days=90)  # a later answer is no answer


class Stale(RefnetError):
    """The caller saw an older version of the referral."""


class IssueReferral(Form):
    """A request for a package of services from one facility of another agency."""

    case_id: UUID
    incident_id: UUID | None = None
    to_agency: events.AgencyId
    to_facility: events.FacilityId
    services: tuple[codes.ServicePackage, ...] = Field(min_length=1, max_length=len(codes.ServicePackage))
    urgency: Urgency | None = Field(
        default=None, description="left out: acute for what cannot wait, else as the programme's pathway says, else urgent"
    )
    needs: events.PersonNeeds | None = None
    travel: events.Travel | None = None
    report_form: events.ReportForm | None = None
    respond_by: events.Moment | None = None
    in_place_of: UUID | None = None
    entered_for: events.FacilityId | None = None
    occurred_at: events.Moment | None = None
    note: NoteText | None = None

    @field_validator("services")
    @classmethod
    def _once(cls, services: tuple[codes.ServicePackage, ...]) -> tuple[codes.ServicePackage, ...]:
        if len(set(services)) != len(services):
            raise ValueError("a service is named twice")
        return services


class MakeTransition(Form):
    """A transition's body: everything optional, each transition says what it needs."""

    reason_code: str | None = Field(default=None, max_length=40)
    outcome_code: codes.OutcomeCode | None = None
    to_agency: events.AgencyId | None = None
    to_facility: events.FacilityId | None = None
    next_place: str | None = Field(default=None, max_length=81, description="agency/facility, or a facility of this agency")
    mode: codes.TravelMode | None = None
    escort: codes.Escort | None = None
    expected_at: events.Moment | None = None
    post: events.Code | None = None
    entered_for: events.FacilityId | None = None
    occurred_at: events.Moment | None = None
    feedback: bool | None = None
    fee_asked: bool | None = Field(
        default=None, description="of a close: whether money was asked for what the programme gives free"
    )
    note: NoteText | None = None


# --- issuing -----------------------------------------------------------------------------------------------------------


async def issue_referral(
    command: IssueReferral, tx: Transaction, here: Here, by: Actor, *, at_most: AbstractSet[ConsentItem] = frozenset(ConsentItem)
) -> Referral:
    """Issues a referral: consent checked, projected, saved and put into the outbox in one transaction. Of what she agreed to
    `at_most` these items go along."""
    by.may_work()
    _check_place(here, command)
    referral_id = new_id()
    ground = await stand_on(
        tx, here, by, referral_id, command.case_id, command.incident_id, command.to_agency, command.services
    )  # fmt: skip
    case = ground.case
    release = sharing.enough(
        ground.release or ground.releases.get(command.to_agency), command.to_agency, ConsentItem.REQ
    )  # fmt: skip
    release = replace(release, items=release.items & at_most)
    _refuse_beyond(command, release)
    _refuse_duplicate(command, ground)
    now = tx.clock.now()
    issued_at = happened("occurred_at", command.occurred_at, now)
    _within_agreement(here, command, issued_at)
    way = await _way(tx, here, by, command, ground, now)
    code = domain.new_arrival_code()
    said = sharing.project(
        here, command.to_agency, release,
        _request(command, way, by, case, release, now) | {"arrival_code_hash": domain.hash_of_code(referral_id, code)},
        await _known(command, tx, here, ground, release, now),
    )  # fmt: skip
    event_id = new_id()
    row = story.new_row(referral_id, case.id, "out", here.agency, command.to_agency, said, event_id, release.consent_id, issued_at)
    row |= {"incident_id": command.incident_id, "arrival_code": code, "in_place_of": command.in_place_of}
    entered_for = _entered_for(here, command.entered_for, by) or here.on_paper(said.from_facility)
    told = Told(here.agency, True, issued_at, by.account_id, entered_for, event_id)
    await _put(tx, here, ground, row, _issued(row, case, issued_at), told)
    referral = as_read(tx, Referral, row)
    if said.report_form is not None:
        await reports.ask_along(tx, referral.id, case.id, referral.desk, issued_at, by.account_id)
    await add_note(tx, case.id, referral.id, command.note, by)
    if command.in_place_of is not None:
        await _cancel_former(tx, here, command.in_place_of, case.id, by, referral)
    for work in _when_issued:
        await work(tx, here, referral, by)
    return referral


WhenIssued = Callable[[Transaction, Here, Referral, Actor], Awaitable[None]]
_when_issued: list[WhenIssued] = []


def on_issued(work: WhenIssued) -> None:
    """Registers what an agency does in the transaction of a new referral, last of all."""
    if work not in _when_issued:
        _when_issued.append(work)


async def _put(tx: Transaction, here: Here, ground: Ground, row: dict[str, Any], issued: outbox.Outgoing, told: Told) -> None:
    """Everything that a new referral is, at once: its record, its story, what its recipient and its circle are told."""
    case, releases, now = ground.case, ground.releases, tx.clock.now()
    words = [issued]
    progress = referral_progress_words(here, case, releases, row["id"], row["recipient"], ReferralState.ISSUED, now)
    member = []
    if ground.shares_with is None:
        words += announcement(here, case, releases, now)
        for peer in shared_with(releases) if ground.has_steps else ():
            words += await history(tx, here, case, case.id, peer, releases[peer])
        words += progress
        member.append(
            {"circle": case.circle, "agency": here.agency, "circle_version": case.circle_version,
             "shares_with": shared_with(releases), "announced_at": now}
        )  # fmt: skip
    fact, line = story.first_entries(tx, row, told)
    outgoing = outbox.rows_in_order(tx, words, ground.told)
    await insert_together(
        tx, [(Referral, [row]), (CircleMember, member), (OutboxRow, outgoing), (ReferralFact, [fact]), (Activity, [line])]
    )
    outbox.wake_on_commit(tx)
    if ground.shares_with is not None:
        welcomed: Collection[str] = ()
        if ground.shares_with != shared_with(releases):  # whoever hears now what was before hears of this one with it
            welcomed = await announce(tx, here, await tx.session.get_one(Case, case.id, populate_existing=True))
        await tell_members(tx, here, case.id, [word for word in progress if word.recipient not in welcomed])


def _check_place(here: Here, command: IssueReferral) -> None:
    kind = here.kind_of(command.to_agency)
    if command.to_agency not in here.serving:
        raise Conflict("This network has no pathway from here to %(agency)s.", agency=Coded(command.to_agency, "agency"))
    facility = here.network.facility(command.to_agency, command.to_facility)
    if facility is None:
        agency = Coded(command.to_agency, "agency")
        raise NotFound("%(agency)s has no facility “%(place)s”.", agency=agency, place=command.to_facility)
    if facility.is_planned:
        raise Conflict(PLANNED, place=Coded(f"{command.to_agency}/{command.to_facility}", "place"))
    foreign = set(command.services) - codes.PROVIDED_BY[kind]
    if foreign:
        agency = Coded(command.to_agency, "agency")
        raise Conflict(
            "%(agency)s does not provide: %(services)s; choose what it offers.", agency=agency, services=tuple(sorted(foreign))
        )
    if command.report_form is not None and command.report_form.form not in here.programme.report_forms:
        known = ", ".join(here.programme.report_forms) or "-"
        raise MissingDetail("report_form", "The report form must be one of this programme: %(known)s.", known=known)
    missing = set(command.services) - set(facility.services)
    if missing:
        place = Coded(f"{command.to_agency}/{command.to_facility}", "place")
        raise Conflict(
            "%(place)s does not offer: %(services)s; choose another place.", place=place, services=tuple(sorted(missing))
        )


def _within_agreement(here: Here, command: IssueReferral, issued_at: datetime) -> None:
    """Nothing is asked of a partner beyond what it has signed, on the day on which it was asked; a sheet has its own."""
    said = agreements.refusal(here, command.to_agency, command.to_facility, command.services, here.day_of(issued_at))
    if said is not None:
        raise Conflict(said.sentence, **said.params)


async def open_services(tx: Transaction, case_id: UUID, incident_id: UUID | None, recipient: str) -> set[str]:
    """What is asked of an agency for an incident already and may still be answered."""
    return _still_open(await asked_of(tx, case_id, incident_id, recipient))


def _still_open(asked: Iterable[Asked], but: UUID | None = None) -> set[str]:
    # One whose clocks have ended may have ended there.
    return {service for r in asked if r.id != but and not story.load(r.standing).no_feedback for service in r.services}


def _refuse_beyond(command: IssueReferral, release: sharing.Released) -> None:
    beyond = set(command.services).difference(sharing.may_ask(release, command.services))
    if beyond and release.basis is codes.Basis.CONSENT:
        raise Conflict(
            "What was agreed to for %(agency)s is for something else; ask whether it may be told for this, and send again: "
            "%(services)s.", agency=Coded(command.to_agency, "agency"), services=tuple(sorted(beyond)),
        )  # fmt: skip
    if beyond:
        raise Conflict(
            "Without a yes %(agency)s is told what the law asks for and nothing else; leave out: %(services)s.",
            agency=Coded(command.to_agency, "agency"), services=tuple(sorted(beyond)),
        )  # fmt: skip


def _refuse_duplicate(command: IssueReferral, ground: Ground) -> None:
    taken = sorted(_still_open(ground.asked, command.in_place_of).intersection(command.services))
    if taken:
        agency = Coded(command.to_agency, "agency")
        raise Conflict(
            "%(services)s: open already with %(agency)s for this incident; follow that referral.",
            services=tuple(map(codes.ServicePackage, taken)), agency=agency,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Way:
    """What the programme's pathways make of a request: how soon, and until when somebody there is to have answered."""

    urgency: Urgency
    respond_by: datetime


async def _way(tx: Transaction, here: Here, by: Actor, command: IssueReferral, ground: Ground, now: datetime) -> _Way:
    desk, packages = _from_desk(by, ground.case), frozenset(command.services)
    found = pathways.ways(here, here.agency, desk, command.to_agency, command.to_facility, packages)
    to_kind = here.kind_at(command.to_agency, command.to_facility)
    situation = situation_of(here, Act.REFER, now, desk, ground.case, ground.incident, packages=packages, to_kind=to_kind)
    await ask_first(tx, here, by.account_id, situation, desk, ground.case.id, ground.case.id)
    if codes.ServicePackage.PROSECUTION in packages:
        await ask_first(
            tx, here, by.account_id, replace(situation, act=Act.HAND_OVER_TO_PROSECUTOR), desk, ground.case.id, ground.case.id
        )
    said = Urgency.ACUTE if codes.AT_ONCE & packages else pathways.urgency_of(found, situation)
    urgency = command.urgency or said or Urgency.URGENT
    respond_by = now + pathways.acknowledge_within(here, found, packages, urgency, situation)
    ends_at = await pathways.ends_before(tx, here, found, ground.case.id)
    return _Way(urgency, min(respond_by, ends_at) if ends_at is not None and ends_at > now else respond_by)


def _from_desk(by: Actor, case: CaseFacts) -> str:
    """The place that sends: the case's, or the account's own where that one lies beyond it. Raises Conflict where there is none."""
    desk = case.facility if by.sees(case.facility) and case.facility != NOWHERE else by.facility
    if desk is None:
        raise lies_nowhere()
    return desk


def _request(
    command: IssueReferral, way: _Way, by: Actor, case: CaseFacts, release: sharing.Released, now: datetime
) -> dict[str, Any]:
    respond_by = command.respond_by or way.respond_by
    if not now < respond_by <= now + RESPOND_BY_MAX:
        raise MissingDetail(
            "respond_by", "The time to answer by must lie in the future, within %(days)s days.", days=RESPOND_BY_MAX.days
        )
    return {
        "circle": case.circle,
        "pairwise_code": new_id(),
        "from_facility": _from_desk(by, case),
        "to_facility": command.to_facility,
        "services": command.services,
        "urgency": way.urgency,
        "respond_by": respond_by,
        "feedback_agreed": ConsentItem.FB in release.items,
    }


async def _known(
    command: IssueReferral, tx: Transaction, here: Here, ground: Ground, release: sharing.Released, now: datetime
) -> dict[str, Any]:
    case, incident = ground.case, ground.incident
    parts = await _parts_to_pass_on(tx, here, command.to_agency, case, release)
    known: dict[str, Any] = {
        **parts,
        "needs": command.needs or parts.get("needs"),
        "travel": command.travel,
        "report_form": command.report_form,
    }
    if incident is not None:
        known |= {
            "incident_class": incident.incident_type,
            "given": incident.given or None,
            "urgent_mental_health": incident.urgent_mental_health,
            "windows": sharing.windows_of_care(here, incident.earliest_at, incident.latest_at, now) or None,
        }
    return {name: part.model_dump() if hasattr(part, "model_dump") else part for name, part in known.items()}


async def _parts_to_pass_on(
    tx: Transaction, here: Here, to_agency: str, case: CaseFacts, release: sharing.Released
) -> dict[str, Any]:
    """What the case knows by this agency's own record, and of what another agency told, what she has said yes to here as well: it
    was told for this agency's use, and a copy under another consent would stay when she takes that one back there. What belongs to
    the request itself, as a child's assent, goes with the request that she agrees to here, or that the law demands; where she
    cannot answer, what may save her life goes with it."""
    parts = {name: getattr(case, name) for name in TOLD_PARTS}
    if not case.told_under or release.basis is codes.Basis.VITAL_INTEREST:
        return parts
    query = (
        select(col(Referral.consent_id), col(SaidAgain.item), col(SaidAgain.agreed))
        .join(SaidAgain, col(SaidAgain.referral_id) == col(Referral.id))
        .where(col(SaidAgain.case_id) == case.id)
        .order_by(col(SaidAgain.id))
    )
    agreed = {(str(consent), item): yes for consent, item, yes in (await tx.session.execute(query)).tuples()}  # the last counts
    rows = minimal_data.CROSSES.get((here.kind, here.kind_of(to_agency)), {})
    return {
        name: part for name, part in parts.items()
        if name not in case.told_under or rows.get(name) is ConsentItem.REQ
        or agreed.get((case.told_under[name], str(rows.get(name))))
    }  # fmt: skip


def _issued(row: dict[str, Any], case: CaseFacts, issued_at: datetime) -> outbox.Outgoing:
    is_acute = row["urgency"] == Urgency.ACUTE
    return outbox.Outgoing(
        recipient=row["recipient"], type=events.ReferralIssued.type, dataversion=events.ReferralIssued.version, subject=row["id"],
        lane_key=case.circle, data=row["said"], occurred_at=issued_at, consent_id=row["consent_id"],
        circle_version=case.circle_version, is_express=is_acute, is_acute=is_acute, event_id=row["issued_event_id"],
    )  # fmt: skip


def may_take_its_place(former: Referral, agency: str, facility: str) -> bool:
    """Whether a request to a place may take the place of an earlier one: of one that could not be taken, of one to another agency,
    or of one that nobody has seen where it went. Within one agency its desks redirect what they have seen."""
    standing = story.standing_of(former)
    is_elsewhere = (former.recipient, standing.facility or former.to_facility) != (agency, facility)
    is_unseen = standing.state is ReferralState.ISSUED and is_elsewhere
    return standing.is_ended or former.recipient != agency or is_unseen


async def _cancel_former(tx: Transaction, here: Here, former_id: UUID, case_id: UUID, by: Actor, instead: Referral) -> None:
    """The referral that a recipient proposed to send elsewhere is asked back."""
    former = await story.lock(tx, former_id)
    if former is None or former.case_id != case_id or former.direction != "out":
        raise scope.OutOfSight("The referral that this one takes the place of is not on this case.", former_id)
    scope.not_as_guest(by, former.desk, former.case_id)
    standing = story.standing_of(former)
    if standing.is_ended:
        return  # it could not be taken: there is nothing to ask back, and any place may be next
    if not may_take_its_place(former, instead.recipient, instead.to_facility):
        raise Conflict(
            "One referral takes the place of another at another agency; within one agency its desks redirect what they have seen."
        )
    if standing.cancel_pending is not None:
        return
    details = Details(reason_code=codes.CancelReason.SENT_ELSEWHERE)
    told = Told(here.agency, True, tx.clock.now(), by.account_id)
    await _issuer_says(tx, here, former, lifecycle.decide(standing, Transition.CANCEL, details), told)


KeptSince = Callable[[Transaction, Here, Referral], Awaitable[bool]]
_kept_since: list[KeptSince] = [reports.is_begun]


def keeps_of_arrivals(asks: KeptSince) -> None:
    """Registers how an agency tells whether it has kept anything of whoever came on a request."""
    if asks not in _kept_since:
        _kept_since.append(asks)


# --- transitions -------------------------------------------------------------------------------------------------------


async def load_referral(tx: Transaction, referral_id: UUID, by: Actor) -> Referral:
    """A referral at the account's desks; raises OutOfSight."""
    query = select(Referral).where(col(Referral.id) == referral_id, scope.at_desk(by, col(Referral.desk), col(Referral.case_id)))
    referral = (await tx.session.execute(query)).scalar_one_or_none()
    if referral is None:
        raise scope.OutOfSight("There is no such referral.", referral_id)
    return referral


async def lock_referral(tx: Transaction, referral_id: UUID, by: Actor) -> Referral:
    """A referral within the actor's scope, locked with its case's circle as every transition locks it; raises NotFound."""
    by.may_work()
    case_id = (await load_referral(tx, referral_id, by)).case_id
    case = await tx.session.get(Case, case_id)
    referral = await story.lock(tx, referral_id, *([case.circle] if case else []))
    if referral is None:
        raise scope.OutOfSight("There is no such referral.", referral_id)
    return referral


async def make_transition(
    referral_id: UUID, transition: Transition, command: MakeTransition, tx: Transaction, here: Here, by: Actor,
    seen_version: int | None = None,
) -> Referral:  # fmt: skip
    """One transition; raises Conflict where it is not this agency's or not possible now, and then nothing has happened."""
    if transition is Transition.CLOSE and command.fee_asked:
        await _write_fee(tx, here, referral_id, by)  # first, because whoever takes both locks the case before the referral
    referral = await lock_referral(tx, referral_id, by)
    if transition not in FOR_CARE:
        scope.not_as_guest(by, referral.desk, referral.case_id)
    if seen_version is not None and seen_version != referral.version:
        raise Stale("The referral has changed since you read it; read it again.")
    if (transition in lifecycle.ISSUERS) != (referral.direction == "out"):
        if transition in lifecycle.ISSUERS:
            raise Conflict("Only the agency that issued it does this.")
        raise Conflict("Only the agency that received it does this.")
    await may_decide(tx, referral.case_id, referral.recipient if referral.direction == "out" else referral.issuer, transition)
    now = tx.clock.now()
    told = Told(here.agency, True, _happened(transition, command, now), by.account_id, _entered_for(here, command.entered_for, by))
    details = _details(here, referral, transition, command, by)
    if transition in ASKED_AS:
        await _ask_first(tx, here, referral, transition, command.to_facility, by)
    if transition is Transition.NOT_HERE:
        await _nothing_kept_since(tx, here, referral)
    if transition in MOVES_IT:
        await scope.for_the_agency(tx)  # it lies at another desk from now on
    if referral.direction == "out":
        await _issuer_says(tx, here, referral, lifecycle.decide(story.standing_of(referral), transition, details), told)
    else:
        await _recipient_says(tx, here, referral, transition, details, command.feedback, told)
    await add_note(tx, referral.case_id, referral.id, command.note, by)
    return referral


def _happened(transition: Transition, command: MakeTransition, now: datetime) -> datetime:
    """An arrival is taken back when somebody notices, whenever it is typed: what was written down until then was of another one."""
    return now if transition is Transition.NOT_HERE else happened("occurred_at", command.occurred_at, now)


async def _nothing_kept_since(tx: Transaction, here: Here, referral: Referral) -> None:
    """Raises Conflict where something is written down of whoever came, on the request or its case: no button moves that."""
    for asks in _kept_since:
        if await asks(tx, here, referral):
            raise Conflict(
                "What was done since somebody came is written down on this request, so it stays as it is. Leave it open, and say "
                "of the right request, too, that somebody came."
            )


async def _ask_first(
    tx: Transaction, here: Here, referral: Referral, transition: Transition, to_facility: str | None, by: Actor
) -> None:
    """Whether the programme lets it end, or be sent on."""
    case = await tx.session.get(Case, referral.case_id)
    incident = await tx.session.get(Incident, referral.incident_id) if referral.incident_id is not None else None
    situation = situation_of(
        here, ASKED_AS[transition], tx.clock.now(), referral.desk, case, incident,
        packages=frozenset(map(codes.ServicePackage, referral.services)), to_kind=here.kind_of_place(to_facility),
    )  # fmt: skip
    await ask_first(tx, here, by.account_id, situation, referral.desk, referral.id, referral.case_id)


async def _write_fee(tx: Transaction, here: Here, referral_id: UUID, by: Actor) -> None:
    """Money was asked for what is free: a breach that is kept and told to the post above. Care, and its end, go on."""
    referral = await load_referral(tx, referral_id, by)
    if not is_free(here.programme, referral.services, tx.clock.now()):
        return
    side = ByWhom(str(here.kind)) if str(here.kind) in map(str, ByWhom) else ByWhom.OTHER
    await record_breach(referral.case_id, RecordBreach(code=BreachCode.FEE_DEMANDED, by_whom=side), tx, here, by)


def _entered_for(here: Here, facility: str | None, by: Actor) -> str | None:
    if facility is not None:
        here.facility(facility)
        if not by.sees(facility):
            raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    return facility


def _details(here: Here, referral: Referral, transition: Transition, command: MakeTransition, by: Actor) -> Details:
    if transition is Transition.REDIRECT and command.to_facility is not None and here.facility(command.to_facility).is_planned:
        raise Conflict(PLANNED, place=Coded(command.to_facility, "place"))
    if transition is Transition.SUGGEST and command.to_agency is not None:
        if command.to_agency == here.agency:
            raise MissingDetail("to_agency", "To another facility of this agency use redirect; suggest names another agency.")
        here.kind_of(command.to_agency)
        suggested = here.network.facility(command.to_agency, command.to_facility) if command.to_facility is not None else None
        if command.to_facility is not None and suggested is None:
            agency = Coded(command.to_agency, "agency")
            raise MissingDetail("to_facility", "The place must be a facility of %(agency)s.", agency=agency)
        if suggested is not None and suggested.is_planned:
            raise Conflict(PLANNED, place=Coded(f"{command.to_agency}/{command.to_facility}", "place"))
    if transition is Transition.TOLD_BY_PHONE and command.post is not None:
        facility = here.network.facility(referral.recipient, story.standing_of(referral).facility)
        if facility is None or command.post not in facility.posts:
            known = tuple(Coded(post, "post") for post in facility.posts) if facility else ()
            raise MissingDetail("post", "The post must be one of that facility: %(known)s.", known=known)
    next_agency, next_facility = _next_place(here, command.next_place, referral)
    where = command.entered_for or by.facility or referral.desk
    return Details(
        reason_code=command.reason_code, outcome_code=command.outcome_code, to_agency=command.to_agency,
        to_facility=command.to_facility, next_agency=next_agency, next_facility=next_facility, mode=command.mode,
        escort=command.escort, expected_at=command.expected_at, post=command.post, facility=where,
    )  # fmt: skip


def _next_place(here: Here, place: str | None, referral: Referral) -> tuple[str | None, str | None]:
    if place is None:
        return None, None
    agency, _, facility = place.rpartition("/")
    agency = agency or here.agency
    found = here.network.facility(agency, facility)
    if found is None:
        raise MissingDetail("next_place", "The next place must be a facility of this network, written agency/facility.")
    is_the_same = (agency, facility) == (here.agency, story.standing_of(referral).facility)
    if is_the_same or found.is_planned or not set(found.services) & set(referral.services):
        raise MissingDetail("next_place", "The next place must be another one that offers what was asked for.")
    return agency, facility


async def _issuer_says(tx: Transaction, here: Here, referral: Referral, facts: tuple[events.Event, ...], told: Told) -> None:
    for fact in facts:
        has_left = referral.heard_life is not None  # its recipient has spoken of it, whatever a restored copy has numbered
        if isinstance(fact, events.CancelRequested) and not has_left and await outbox.withhold_event(tx, referral.issued_event_id):
            # It has not left: the issuer cancels alone, and whatever else was about to be said of it stays here too.
            await outbox.withhold_subject(tx, referral.id)
            fact = events.Cancelled(reason_code=fact.reason_code)
            event_id = None
        elif await _may_say(tx, here, referral, fact):
            event_id = await story.say(tx, here, referral, fact, told.occurred_at)
        else:
            event_id = None  # a fact of our own: her consent is over, or the table does not let it cross
        standing = lifecycle.evolve(story.standing_of(referral), fact)
        who = Told(told.agency, True, told.occurred_at, told.recorded_by, told.entered_for, event_id)
        await story.keep(tx, here, referral, fact, who)
        await story.settle(tx, here, referral, standing, standing, told.occurred_at)


async def _may_say(tx: Transaction, here: Here, referral: Referral, fact: events.Event) -> bool:
    """Whether an issuer's later fact may still be told. Asking to cancel says less than what was said, so it always may."""
    if isinstance(fact, events.CancelRequested):
        return True
    if isinstance(fact, events.SetOut) and not sharing.may_tell_travel(here, referral.recipient):
        return False
    services = [codes.ServicePackage(service) for service in referral.services]
    release = await sharing.released(tx, here, referral.case_id, referral.recipient, services)
    return release is not None and ConsentItem.REQ in release.items


async def _recipient_says(
    tx: Transaction, here: Here, referral: Referral, transition: Transition, details: Details, feedback: bool | None, told: Told
) -> None:
    end = await story.recipient_end(tx, here, referral)
    facts = lifecycle.decide(end.standing, transition, details)
    if feedback is not None and transition is not Transition.NOT_HERE:  # whoever answers is not who was sent
        end = await _answered(tx, here, referral, end, told, yes=feedback)
    before = end.standing
    if transition is Transition.NOT_HERE and referral.feedback is not None:
        await _log_answer(tx, referral, None, told)
    await story.tell_facts(tx, here, referral, end, facts, told)
    urgency = Urgency(referral.urgency)
    for fact in facts:
        if lifecycle.declined_without_next_place(before, fact):
            await raise_alarm(tx, here, "declined_without_next_place", referral.id, referral.desk, urgency, referral.case_id)
        if isinstance(fact, events.Closed) and urgency is Urgency.ACUTE and fact.outcome_code in LEFT_WITHOUT_CARE:
            await raise_alarm(tx, here, "declined_without_next_place", referral.id, referral.desk, urgency, referral.case_id)
        if isinstance(fact, events.CameWithoutReferral) and urgency is Urgency.ACUTE:
            await raise_alarm(tx, here, "came_after_the_end", referral.id, referral.desk, urgency, referral.case_id)


async def _answered(
    tx: Transaction, here: Here, referral: Referral, end: lifecycle.Recipient, told: Told, *, yes: bool
) -> lifecycle.Recipient:
    if referral.feedback is not yes:
        await _log_answer(tx, referral, yes, told)
    referral.feedback = yes
    if not yes:
        return lifecycle.answer_feedback(end, yes=False)[0]
    end = await story.tell_kept_back(tx, here, referral, end)
    await reports.tell_kept_back(tx, here, referral)
    return end


async def _log_answer(tx: Transaction, referral: Referral, yes: bool | None, told: Told) -> None:
    assert told.recorded_by is not None, "somebody asked her"
    await log_feedback(tx, referral.id, referral.case_id, referral.issuer, yes, told.recorded_by, told.occurred_at)


async def answer_feedback(referral_id: UUID, yes: bool, tx: Transaction, here: Here, by: Actor) -> Referral:
    """Her answer, given at the recipient, to whether the issuer may know: a yes tells what was kept back, a no tells nothing."""
    by.may_work()
    await load_referral(tx, referral_id, by)
    referral = await story.lock(tx, referral_id)
    if referral is None or referral.direction != "in":
        raise Conflict("Only the agency that received a referral asks whether its issuer may know.")
    now = tx.clock.now()
    told = Told(here.agency, True, now, by.account_id)
    end = await _answered(tx, here, referral, await story.recipient_end(tx, here, referral), told, yes=yes)
    await story.settle(tx, here, referral, end.standing, end.told, now)
    return referral


async def arrive(tx: Transaction, here: Here, referral: Referral, facility: str, feedback: bool | None, told: Told) -> Referral:
    """She has come on this referral, to any door of this agency: legal whatever stands, told as far as she allows."""
    locked = await story.lock(tx, referral.id)
    if locked is None:
        raise NotFound("There is no such referral.")
    await _recipient_says(tx, here, locked, Transition.ARRIVE, Details(facility=facility), feedback, told)
    return locked
