"""What a new referral is decided from: its case, incident, consents and circle, read under their locks.

On PostgreSQL two statements on the driver: the first locks circle and referral, so that the second sees whatever another desk
committed before it got the lock. The portable form beside it asks for the same piece by piece.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Basis, ConsentHow, LegalDuty, Purpose, ServicePackage
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.sealed import opened

LOCK = """
    INSERT INTO exchange_subjects (id)
    SELECT id FROM (SELECT $1::uuid AS id UNION SELECT circle FROM casework_cases WHERE id = $2) AS wanted ORDER BY id
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
"""
# FOR UPDATE where something is issued for: two desks that issue for one incident at once find each other's referral.
READ = """
    WITH file AS MATERIALIZED (
        SELECT id, circle, circle_version, facility, needs, child, safety, relay, dependants, told_under
        FROM casework_cases WHERE id = $1 FOR {case_lock}
    ), answers AS MATERIALIZED (
        SELECT id, recipient, purpose, basis, items, legal_duty, how, taken_back_at, expires_at FROM casework_consents AS c
        WHERE case_id = $1 AND NOT EXISTS (
            SELECT 1 FROM casework_refusals AS no WHERE no.case_id = $1 AND no.recipient = c.recipient AND no.id > c.id
        ) ORDER BY id FOR SHARE OF c
    ), happened AS MATERIALIZED (
        SELECT id, case_id, incident_type, given, urgent_mental_health, earliest_at, latest_at FROM casework_incidents
        WHERE id = $2 AND case_id = $1 FOR UPDATE
    )
    SELECT (SELECT to_jsonb(file)::text FROM file) AS file,
        (SELECT jsonb_agg(answers ORDER BY answers.id)::text FROM answers) AS answers,
        (SELECT to_jsonb(happened)::text FROM happened) AS incident,
        (SELECT jsonb_agg(jsonb_build_object('id', id, 'services', services, 'standing', standing))::text FROM casework_referrals
         WHERE case_id = $1 AND direction = 'out' AND recipient = $3 AND is_open AND incident_id IS NOT DISTINCT FROM $2) AS open,
        (SELECT shares_with::text FROM casework_circle_members
         WHERE circle = (SELECT circle FROM file) AND agency = $4) AS shares_with,
        EXISTS (SELECT 1 FROM casework_progress WHERE case_id = $1 AND agency = $4) AS has_steps,
        (SELECT jsonb_object_agg(recipient, event_id ORDER BY incarnation NULLS LAST, position)::text FROM exchange_outbox
         WHERE subject = (SELECT circle FROM file)) AS told
"""
READ_FOR_INCIDENT, READ_FOR_CASE = READ.format(case_lock="SHARE"), READ.format(case_lock="UPDATE")


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What of a case a referral may rest on."""

    id: UUID
    circle: UUID
    circle_version: int
    facility: str
    needs: dict[str, Any] | None
    child: dict[str, Any] | None
    safety: dict[str, Any] | None
    relay: dict[str, Any] | None
    dependants: dict[str, Any] | None
    told_under: dict[str, str]


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What of an incident a referral may rest on."""

    id: UUID
    incident_type: str
    given: list[dict[str, Any]]
    urgent_mental_health: bool | None
    earliest_at: datetime | None
    latest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the recipient for an incident already and not ended."""

    id: UUID
    services: list[str]
    standing: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """All of it. `release` lets it be asked for, `releases` are what each agency may be told; `shares_with` is what the circle was
    told last, None where nothing; `told` the last event of it by recipient; `has_steps` whether this agency has recorded steps,
    which a new member may have to be told."""

    case: CaseFacts
    incident: IncidentFacts | None
    release: sharing.Released | None
    releases: sharing.Releases
    asked: list[Asked]
    shares_with: list[str] | None
    told: Mapping[tuple[UUID, str], UUID]
    has_steps: bool


async def stand_on(
    tx: Transaction, here: Here, by: Actor, referral_id: UUID, case_id: UUID, incident_id: UUID | None, recipient: str,
    services: Collection[ServicePackage],
) -> Ground:  # fmt: skip
    """Locks and reads; raises NotFound where the case is out of the actor's scope or has no such incident."""
    if tx.dialect == "postgresql":
        return await _at_once(tx, here, by, referral_id, case_id, incident_id, recipient, services)
    return await _piece_by_piece(tx, here, by, referral_id, case_id, incident_id, recipient, services)


async def _at_once(
    tx: Transaction, here: Here, by: Actor, referral_id: UUID, case_id: UUID, incident_id: UUID | None, recipient: str,
    services: Collection[ServicePackage],
) -> Ground:  # fmt: skip
    await tx.flush()
    driver = await tx.driver()
    await driver.execute(LOCK, referral_id, case_id)
    query = READ_FOR_INCIDENT if incident_id is not None else READ_FOR_CASE
    row = await driver.fetchrow(query, case_id, incident_id, recipient, here.agency)
    if row["file"] is None:
        raise scope.OutOfSight("There is no such case.", case_id)
    file = opened(Case, from_json(row["file"]), tx.keys)
    case = CaseFacts(**{**file, "id": case_id, "circle": UUID(file["circle"])})
    if not scope.is_at_desk(by, case.facility, case_id):
        await load_case(tx, case_id, by)
    if incident_id is not None and row["incident"] is None:
        raise scope.OutOfSight("The case has no such incident.", incident_id)
    answers, now = _answers(row["answers"]), tx.clock.now()
    return Ground(
        case, _incident(tx, row["incident"]),
        sharing.in_force_of(here.known_kind(recipient), answers.get(recipient, ()), now, services),
        {peer: found for peer in here.serving
         if (found := sharing.in_force_of(here.known_kind(peer), answers.get(peer, ()), now))},
        [Asked(UUID(one["id"]), one["services"], one["standing"]) for one in from_json(row["open"] or "[]")],
        from_json(row["shares_with"]) if row["shares_with"] is not None else None,
        {(case.circle, peer): UUID(event_id) for peer, event_id in from_json(row["told"] or "{}").items()},
        row["has_steps"],
    )  # fmt: skip


def _incident(tx: Transaction, text: str | None) -> IncidentFacts | None:
    if text is None:
        return None
    row = opened(Incident, from_json(text), tx.keys)
    del row["case_id"]
    return IncidentFacts(**{**row, "id": UUID(row["id"])})


def _answers(text: str | None) -> dict[str, list[sharing.Answer]]:
    """What was answered about each recipient, in the order in which it was."""
    found: dict[str, list[sharing.Answer]] = {}
    for row in from_json(text or "[]"):
        duty, ends, over = row["legal_duty"], row["expires_at"], row["taken_back_at"]
        answer = sharing.Answer(
            UUID(row["id"]), Purpose(row["purpose"]), row["items"], Basis(row["basis"]), LegalDuty(duty) if duty else None,
            ConsentHow(row["how"]), datetime.fromisoformat(ends) if ends else None, datetime.fromisoformat(over) if over else None,
        )  # fmt: skip
        found.setdefault(row["recipient"], []).append(answer)
    return found


async def _piece_by_piece(
    tx: Transaction, here: Here, by: Actor, referral_id: UUID, case_id: UUID, incident_id: UUID | None, recipient: str,
    services: Collection[ServicePackage],
) -> Ground:  # fmt: skip
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [referral_id, circle])
    case = await load_case(tx, case_id, by, lock=True)
    incident = await _lock_incident(tx, case_id, incident_id)
    release = await sharing.released(tx, here, case_id, recipient, services)
    releases = await sharing.releases(tx, here, case_id, here.serving)
    steps = select(col(Progress.position)).where(col(Progress.case_id) == case_id, col(Progress.agency) == here.agency).limit(1)
    own = select(col(CircleMember.shares_with)).where(col(CircleMember.circle) == circle, col(CircleMember.agency) == here.agency)
    return Ground(
        CaseFacts(**{name: getattr(case, name) for name in CaseFacts.__slots__}),
        IncidentFacts(**{name: getattr(incident, name) for name in IncidentFacts.__slots__}) if incident is not None else None,
        release,
        releases,
        await asked_of(tx, case_id, incident_id, recipient),
        (await tx.session.execute(own)).scalar_one_or_none(),
        await outbox.told_last(tx, circle),
        (await tx.session.execute(steps)).first() is not None,
    )


async def asked_of(tx: Transaction, case_id: UUID, incident_id: UUID | None, recipient: str) -> list[Asked]:
    """What an agency is asked for an incident, or for a case without one, and has not ended."""
    same_incident = col(Referral.incident_id) == incident_id if incident_id is not None else col(Referral.incident_id).is_(None)
    query = select(Referral).where(
        col(Referral.case_id) == case_id, col(Referral.direction) == "out", col(Referral.recipient) == recipient,
        col(Referral.is_open), same_incident,
    )  # fmt: skip
    return [Asked(r.id, r.services, r.standing) for r in (await tx.session.execute(query)).scalars()]


async def _lock_incident(tx: Transaction, case_id: UUID, incident_id: UUID | None) -> Incident | None:
    if incident_id is None:
        await tx.session.execute(select(col(Case.id)).where(col(Case.id) == case_id).with_for_update())
        return None
    query = select(Incident).where(col(Incident.id) == incident_id, col(Incident.case_id) == case_id).with_for_update()
    incident = (await tx.session.execute(query)).scalar_one_or_none()
    if incident is None:
        raise scope.OutOfSight("The case has no such incident.", incident_id)
    return incident
