"""Her no: kept like her yes, and acting at once on whatever was told before, whether she is asked again or takes a yes back by
itself. It never ends what the law alone asks for.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import field_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import Form, load_case, not_future
from shared.casework.cases.tables import Case
from shared.casework.consents.commands import RecordConsent, answers_about, record_consent, take_back
from shared.casework.consents.her_own import is_child
from shared.casework.consents.tables import Consent, ConsentEvent, Refusal
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.commands import IssueReferral, issue_referral, open_services
from shared.casework.referrals.tables import Referral
from shared.casework.sharing import ASKED_BY_LAW, may_ask, released
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import Basis, ConsentItem, LegalDuty, ServicePackage
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id

# What the law makes an agency tell about a child, and whom (assumption until a programme says otherwise).
TOLD_OF_CHILDREN = frozenset({codes.AgencyKind.SOCIAL_WELFARE})
BY_LAW = ASKED_BY_LAW[LegalDuty.CHILD_PROTECTION_LAW]  # asked for whatever she answers


@dataclass(frozen=True, slots=True)
class Refused:
    """Her no about one recipient, and how she said it. `is_by_law`: the law has that agency told all the same."""

    recipient: str
    how: codes.ConsentHow
    language: str
    interpreter: bool
    said_at: datetime | None
    is_by_law: bool


class RecordRefusal(Form):
    """Her no about one recipient, and how she said it."""

    recipient: events.AgencyId
    how: codes.ConsentHow
    language: events.LanguageTag
    interpreter: bool = False
    said_at: events.Moment | None = None

    @field_validator("how")
    @classmethod
    def _said(cls, how: codes.ConsentHow) -> codes.ConsentHow:
        if how not in codes.HER_OWN_WAYS:
            raise ValueError("'how' must say how she said no")
        return how


async def record_refusal(case_id: UUID, command: RecordRefusal, tx: Transaction, here: Here, by: Actor) -> Refusal:
    """Keeps her no about one recipient as the page does: where the law has that agency told of a child all the same, the duty is
    recorded with the same hand, and what ended with her no is issued anew with the request alone."""
    by.may_work()
    await tx.in_turn(answers_about(case_id))
    case = await load_case(tx, case_id, by)
    here.kind_of(command.recipient)
    if command.recipient not in here.serving:
        raise Conflict("This network has no pathway from here to %(agency)s.", agency=Coded(command.recipient, "agency"))
    is_by_law = is_told_by_law(here, case, command.recipient)
    no = Refused(command.recipient, command.how, command.language, command.interpreter, command.said_at, is_by_law)
    told_by_law = await refuse(case_id, [no], tx, here, by)
    query = select(Refusal).where(col(Refusal.case_id) == case_id, col(Refusal.recipient) == command.recipient)
    kept = (await tx.session.execute(query.order_by(col(Refusal.id).desc()).limit(1))).scalar_one()
    if is_by_law:
        await record_consent(case_id, _duty(no), tx, here, by)
    for request in told_by_law:
        await issue_referral(request, tx, here, by)
    return kept


def _duty(no: Refused) -> RecordConsent:
    """What the law asks for whatever she answers: that the agency is told, with the request alone."""
    return RecordConsent(
        recipient=no.recipient, purpose=codes.Purpose.PROTECTION, items=(ConsentItem.REQ,), basis=Basis.LEGAL_BASIS,
        legal_duty=LegalDuty.CHILD_PROTECTION_LAW, how=no.how, language=no.language, interpreter=no.interpreter,
        given_at=no.said_at,
    )  # fmt: skip


async def refuse(case_id: UUID, refused: Sequence[Refused], tx: Transaction, here: Here, by: Actor) -> list[IssueReferral]:
    """Takes back what these recipients were told before, and keeps each no. Returns what ended with it although the law asks
    for it: to be issued anew, with the request alone, as soon as its legal basis is recorded.

    Nothing about those requests ever stands in the way of her no: what no place can be asked for is an alarm.
    """
    by.may_work()
    await tx.in_turn(answers_about(case_id))
    await load_case(tx, case_id, by)
    ended: list[Referral] = []
    for no in refused:
        taken = [
            await take_back(case_id, consent.id, tx, here, by, consent.version)
            for consent in await _standing(tx, case_id, no.recipient)
        ]
        if no.is_by_law:
            ended += _asked_by_law([referral for one in taken for referral in one.ended])
    for no in refused:
        await _keep(case_id, no, tx, here, by)
    return [request for former in ended if (request := await _anew(tx, here, former)) is not None]


async def _standing(tx: Transaction, case_id: UUID, recipient: str) -> list[Consent]:
    """Every consent that has not been taken back, older ones too: requests rest on the one under which they were sent."""
    query = select(Consent).where(
        col(Consent.case_id) == case_id, col(Consent.recipient) == recipient, col(Consent.taken_back_at).is_(None),
        col(Consent.basis) != Basis.LEGAL_BASIS,
    )  # fmt: skip
    return list((await tx.session.execute(query.order_by(col(Consent.id)))).scalars())


def _asked_by_law(ended: Sequence[Referral]) -> list[Referral]:
    """What has ended although the law asks for it, once for each incident: the newest."""
    rows = sorted(ended, key=lambda row: row.id)
    return list({row.incident_id: row for row in rows if BY_LAW.intersection(row.services)}.values())


async def take_back_alone(case_id: UUID, consent_id: UUID, tx: Transaction, here: Here, by: Actor, seen_version: int) -> Consent:
    """She takes one yes back, without being asked again. Where the law has that agency told of a child all the same, the duty is
    recorded with the same hand, and what ended with her yes is issued anew with the request alone, as after a no."""
    taken = await take_back(case_id, consent_id, tx, here, by, seen_version)
    former = taken.consent
    case = await load_case(tx, case_id, by)
    if not taken.is_new or not is_told_by_law(here, case, former.recipient):
        return former
    standing = await released(tx, here, case.id, former.recipient, BY_LAW)
    if standing is None and former.recipient in here.serving:  # else another answer stands, and what is issued rests on it
        how, language = codes.ConsentHow.BY_LAW, codes.UNDETERMINED  # she was asked about neither: the law says it
        no = Refused(former.recipient, how, language, interpreter=False, said_at=None, is_by_law=True)
        await record_consent(case.id, _duty(no), tx, here, by)
        standing = await released(tx, here, case.id, former.recipient, BY_LAW)
    for ended in _asked_by_law(taken.ended):
        request = await _anew(tx, here, ended)
        if request is None:
            continue
        if standing is None or ConsentItem.REQ not in standing.items or may_ask(standing, request.services) != request.services:
            await _nobody_to_tell(tx, here, ended)
        else:
            await issue_referral(request, tx, here, by, at_most={ConsentItem.REQ})
    return former


def is_told_by_law(here: Here, case: Case, recipient: str) -> bool:
    """Whether the law has an agency told about a child, whatever is answered."""
    return (
        is_child(case) and here.known_kind(recipient) in TOLD_OF_CHILDREN
    )  # one that has left the network is told nothing any more


async def _anew(tx: Transaction, here: Here, former: Referral) -> IssueReferral | None:
    """What the law asks for of a request that has ended; None where it is asked for still, or by nobody who offers it."""
    asked = BY_LAW.intersection(map(ServicePackage, former.services))
    asked -= set(map(ServicePackage, await open_services(tx, former.case_id, former.incident_id, former.recipient)))
    if not asked:
        return None
    place = _place(here, former, asked)
    if place is None:
        await _nobody_to_tell(tx, here, former)
        return None
    return IssueReferral(
        case_id=former.case_id, incident_id=former.incident_id, to_agency=former.recipient, to_facility=place,
        urgency=codes.Urgency(former.urgency), services=tuple(sorted(asked)),
    )  # fmt: skip


async def _nobody_to_tell(tx: Transaction, here: Here, former: Referral) -> None:
    """What the law asks for cannot be asked of anybody from here: a person tells them. It never stands in the way of her no."""
    urgency = codes.Urgency(former.urgency)
    await raise_alarm(tx, here, "nobody_to_tell_by_law", former.id, former.desk, urgency, former.case_id)


def _place(here: Here, former: Referral, services: AbstractSet[ServicePackage]) -> str | None:
    """A place that offers it: where the former request stood, else where it was sent, else any of that agency; none where there
    is no pathway to it any more."""
    if former.recipient not in here.serving:
        return None
    facilities = here.network.agencies[former.recipient].facilities
    offering = [id_ for id_, facility in facilities.items() if services <= set(facility.services) and not facility.is_planned]
    known = (story.standing_of(former).facility, former.to_facility)
    return next((place for place in (*known, *offering) if place in offering), None)


async def _keep(case_id: UUID, no: Refused, tx: Transaction, here: Here, by: Actor) -> None:
    case = await load_case(tx, case_id, by, lock=True)
    said_at = not_future("said_at", no.said_at, tx.clock.now())
    refusal = Refusal(
        id=new_id(), case_id=case.id, recipient=no.recipient, how=no.how, language=no.language, interpreter=no.interpreter,
        explained_by=by.account_id, said_at=said_at,
    )  # fmt: skip
    tx.session.add(refusal)
    event = ConsentEvent(
        id=new_id(), consent_id=refusal.id, case_id=case.id, version=1, kind="refused", recipient=no.recipient, items=[],
        how=no.how, interpreter=no.interpreter, explained_by=by.account_id, occurred_at=said_at, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(event)
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="consent.refused", subject=refusal.id, agency=here.agency, is_own=True, occurred_at=said_at,
                      case_id=case.id, facility=case.facility, detail={"recipient": no.recipient}),
    )  # fmt: skip
