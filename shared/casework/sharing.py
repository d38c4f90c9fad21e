"""The only code that decides what crosses to another agency: the consent gate and the projections that pass it.

Every field is looked up in the minimal data set by its direction and released by the consent item that is named there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from shared.casework.consents.tables import Consent, Refusal
from shared.casework.here import Here
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import AgencyKind, ConsentItem, ServicePackage
from shared.kit.db import Transaction
from shared.kit.errors import Coded, RefnetError
from shared.kit.i18n import mark as _

# "type, only if she wants to report" and "safety, if she asks for protection": what she asks of the police opens these rows.
OPENED_BY: dict[tuple[AgencyKind, AgencyKind, str], frozenset[ServicePackage]] = {
    (AgencyKind.HEALTH, AgencyKind.POLICE, "incident_class"): frozenset(
        {ServicePackage.REPORT_TO_POLICE, ServicePackage.STATEMENT_AT_CLINIC}
    ),
    (AgencyKind.HEALTH, AgencyKind.POLICE, "safety"): frozenset({ServicePackage.PROTECTION}),
}

# What a duty asks for; whatever else the same agency could do needs a yes. A duty that is not listed asks for nothing.
ASKED_BY_LAW = {codes.LegalDuty.CHILD_PROTECTION_LAW: frozenset({ServicePackage.CHILD_PROTECTION})}


class ConsentMissing(RefnetError):
    """Nothing in force covers this sharing; `recipient` and `item` name what she would have to say yes to."""

    def __init__(self, recipient: str, item: ConsentItem) -> None:
        super().__init__(
            _("There is no consent in force for %(agency)s that covers “%(item)s”; ask her, record it on the case, send again."),
            agency=Coded(recipient, "agency"), item=item,
        )  # fmt: skip
        self.recipient, self.item = recipient, item


@dataclass(frozen=True, slots=True)
class Released:
    """What a consent in force, a legal duty or vital interest lets pass to one recipient."""

    consent_id: UUID
    basis: codes.Basis
    items: frozenset[ConsentItem]
    legal_duty: codes.LegalDuty | None


def may_ask(release: Released, services: Iterable[ServicePackage]) -> tuple[ServicePackage, ...]:
    """Of these services, those that may be asked for: what rests on the law alone asks for what the law names."""
    if release.basis is not codes.Basis.LEGAL_BASIS:
        return tuple(services)
    named = ASKED_BY_LAW.get(release.legal_duty, frozenset()) if release.legal_duty is not None else frozenset()
    return tuple(service for service in services if service in named)


Releases = Mapping[str, Released]  # what is in force, by recipient


async def released(tx: Transaction, case_id: UUID, recipient: str) -> Released | None:
    """What her last answer about a recipient releases; None where it is a no, was taken back or has expired.

    An older answer never revives.

    Takes the row FOR SHARE, so that taking it back waits for what is being said.
    """
    refused_since = exists().where(
        col(Refusal.case_id) == case_id, col(Refusal.recipient) == recipient, col(Refusal.id) > col(Consent.id)
    )
    query = (
        select(Consent)
        .where(col(Consent.case_id) == case_id, col(Consent.recipient) == recipient, ~refused_since)
        .order_by(col(Consent.id).desc())  # UUIDv7: the order in which they were recorded
        .limit(1)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    last = (await tx.session.execute(query)).scalar_one_or_none()
    if last is None:
        return None
    is_taken_back = last.taken_back_at is not None
    return release_of(last.id, last.basis, last.items, last.legal_duty, is_taken_back, last.expires_at, tx.clock.now())


async def in_force(tx: Transaction, case_ids: Collection[UUID]) -> dict[tuple[UUID, str], Released]:
    """The same of several cases, by case and recipient, for looking only: no row is taken."""
    refused_since = exists().where(
        col(Refusal.case_id) == col(Consent.case_id), col(Refusal.recipient) == col(Consent.recipient),
        col(Refusal.id) > col(Consent.id),
    )  # fmt: skip
    query = select(Consent, refused_since).where(col(Consent.case_id).in_(case_ids)).order_by(col(Consent.id))
    last = {(one.case_id, one.recipient): (one, refused) for one, refused in (await tx.session.execute(query)).tuples()}
    found: dict[tuple[UUID, str], Released] = {}
    for key, (one, refused) in last.items():
        is_over = refused or one.taken_back_at is not None
        release = release_of(one.id, one.basis, one.items, one.legal_duty, is_over, one.expires_at, tx.clock.now())
        if release is not None:
            found[key] = release
    return found


async def releases(tx: Transaction, case_id: UUID, recipients: Iterable[str]) -> Releases:
    """The same for several recipients."""
    return {recipient: release for recipient in recipients if (release := await released(tx, case_id, recipient))}


def release_of(
    consent_id: UUID, basis: str, items: Iterable[str], legal_duty: str | None, is_taken_back: bool, expires_at: datetime | None,
    now: datetime,
) -> Released | None:  # fmt: skip
    """What an answer of hers releases; None where it was taken back or has expired."""
    if is_taken_back or (expires_at is not None and expires_at <= now):
        return None
    duty = codes.LegalDuty(legal_duty) if legal_duty else None
    return Released(consent_id, codes.Basis(basis), frozenset(map(ConsentItem, items)), duty)


def enough(found: Released | None, recipient: str, item: ConsentItem) -> Released:
    """The release where it lets `item` pass; raises ConsentMissing."""
    if found is None or item not in found.items:
        raise ConsentMissing(recipient, item)
    return found


def project(here: Here, to_agency: str, release: Released, request: dict[str, Any], known: dict[str, Any]) -> events.ReferralIssued:
    """A referral as its recipient may see it: the request itself, and of what is known only what the table and she release."""
    direction = (here.kind, here.kind_of(to_agency))
    rows = minimal_data.CROSSES.get(direction, {})
    passing = {}
    for field, item in rows.items():
        opened_by = OPENED_BY.get((*direction, field))
        if known.get(field) is None or item not in release.items or (opened_by and not opened_by & set(request["services"])):
            continue
        passing[field] = known[field]
    if "child" in passing and direction in minimal_data.CHILD_NEEDS_LEGAL_BASIS and release.legal_duty is None:
        del passing["child"]
    # A man or a boy needs no emergency contraception. Where his sex is not told its clock goes too: the lack of it would tell.
    if "windows" in passing and passing.get("needs", {}).get("sex") == codes.Sex.MALE:
        windows = [one for one in passing.pop("windows") if one["care"] != codes.CareClock.EMERGENCY_CONTRACEPTION]
        passing |= {"windows": windows} if windows else {}
    if direction[1] is not AgencyKind.HEALTH and "incident_class" in passing:
        passing["incident_class"] = codes.IncidentType.GBV  # only care needs to know which
    return events.ReferralIssued.model_validate({**request, **passing, "basis": release.basis})


def may_tell_travel(here: Here, to_agency: str) -> bool:
    """Whether how she travels may be told in this direction at all: with the request, and later as a fact of its own."""
    return "travel" in minimal_data.CROSSES.get((here.kind, here.kind_of(to_agency)), {})


def may_pass_progress(here: Here, to_agency: str, release: Released | None, code: codes.ProgressCode) -> bool:
    """Whether a coded fact on a case may be told to a member."""
    item = minimal_data.PROGRESS_CROSSES.get((here.kind, here.kind_of(to_agency)), {}).get(code)
    return item is not None and release is not None and item in release.items


def tells_of_other_places(here: Here, from_agency: str, to_agency: str) -> bool:
    """Whether this direction ever tells how referrals to other members stand: who is asked, and how far that is."""
    return (here.kind_of(from_agency), here.kind_of(to_agency)) in minimal_data.REFERRAL_PROGRESS_CROSSES


def may_pass_referral_progress(here: Here, to_agency: str, release: Released | None) -> bool:
    """Whether a member may be told how a referral to another member stands."""
    listed = tells_of_other_places(here, here.agency, to_agency)
    return listed and release is not None and minimal_data.REFERRAL_PROGRESS_ITEM in release.items


def agenda_for(here: Here, to_agency: str, release: Released, agenda: Iterable[codes.AgendaItem]) -> tuple[codes.AgendaItem, ...]:
    """Of what a conference speaks of, what one agency hears: what this direction allows and she agreed to for this recipient."""
    allowed = minimal_data.AGENDA_CROSSES.get((here.kind, here.kind_of(to_agency)), frozenset())
    return tuple(item for item in agenda if item in allowed and ConsentItem(item) in release.items)


def decisions_for(
    here: Here, to_agency: str, release: Released, heard: Iterable[codes.AgendaItem], decisions: Iterable[events.Decided]
) -> tuple[events.Decided, ...]:
    """Of what was decided, what one agency is told: under the items that it heard and may hear still. That another agency sees to
    something tells that she is known there, which passes under `prog` alone."""
    items = set(agenda_for(here, to_agency, release, heard))
    named = {here.agency, to_agency}
    return tuple(one for one in decisions if one.item in items and (one.responsible in named or ConsentItem.PROG in release.items))


def windows_of_care(here: Here, earliest_at: datetime | None, latest_at: datetime | None, now: datetime) -> list[dict[str, Any]]:
    """The windows that are still open, counted as the programme says: a late arrival is never refused care for them."""
    ends = {care: window.ends_at(earliest_at, latest_at) for care, window in here.programme.windows.items()}
    return [{"care": care, "until": until} for care, until in ends.items() if until is not None and until >= now]
