"""What must be true of casework once the weather is fine: both ends agree, nothing is lost or doubled, no consent that was taken
back leaves anything open, and whatever was late has had its alarm."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from oracle import DONE, never_told, own, streams
from world import Agency, World

from shared.casework.referrals import story
from shared.casework.referrals.tables import ReferralFact
from shared.contracts.casework import events, lifecycle
from shared.contracts.casework.codes import Urgency
from shared.exchange.erasing import received_key
from shared.kit.sealed import sealed_columns
from shared.programmes.profile import Programme

REFERRAL_TYPES = {event.type for event in events.REFERRAL_EVENTS}
WAITING = {event.type for event in events.REFERRAL_EVENTS if not event.never_waits}  # for what was told before of the same
DATA = sealed_columns(ReferralFact)["data"]
ISSUED = events.ReferralIssued.type
OPENING = {ISSUED, events.CircleAnnounced.type}  # without which nothing that is said of the same can be placed
TAKEN_BACK = events.ConsentTakenBack.type

Kinds = Mapping[UUID, tuple[str, UUID | None]]  # said event: its type and its consent


def judge(world: World, issued: Mapping[UUID, tuple[str, str]], kinds: Kinds) -> list[str]:
    """Every breach in words; empty where all is well."""
    found = list(world.ledger.faults)
    for sender in world.agencies.values():
        for peer in sender.peers:
            if peer in world.agencies:
                other = world.agencies[peer]
                found += _arrived(world, kinds, sender, other) + streams(world, sender, other) + _in_order(world, sender, other)
    for agency in world.agencies.values():
        found += own(world, agency)
    if found:  # the rest would only say the same of casework
        return found
    for referral, (issuer, recipient) in issued.items():
        found += _ends(referral, world.agencies[issuer], world.agencies[recipient])
    for agency in world.agencies.values():
        found += _facts(agency)
    for event_id, (kind, consent) in kinds.items():
        event = world.ledger.said[event_id]
        if kind == TAKEN_BACK and consent is not None and not event.may_be_lost:
            found += _taken_back(consent, world.agencies[event.sender], world.agencies[event.recipient])
    return found


def _arrived(world: World, kinds: Kinds, sender: Agency, recipient: Agency) -> list[str]:
    """Each word that was said is done at the other end, and none is there that was not said.

    What was said about a referral that both ends lost, or in a circle whose announcement they lost, is parked there, and a
    person decides.
    """
    way = f"{sender.name} to {recipient.name}"
    lost = {event.subject for id_, event in world.ledger.said.items() if event.may_be_lost and kinds[id_][0] in OPENING}
    rows = recipient.database.rows("SELECT event_id, state, type FROM exchange_inbox WHERE sender = ?", sender.name)
    states = {UUID(event_id): (state, kind) for event_id, state, kind in rows}
    orphans = {one for one in states if one in world.ledger.said and world.ledger.said[one].subject in lost}
    undone = {one for one, (state, _) in states.items() if state not in DONE} - orphans
    found = [f"{way}: {one} ({states[one][1]}) is {states[one][0]}" for one in sorted(undone)]
    said: dict[UUID, tuple[bool, str]] = {}
    blank: set[UUID] = set()
    told = "SELECT event_id, is_withheld, type FROM exchange_outbox WHERE recipient = ?"
    for event_id, is_withheld, kind in sender.database.rows(told, recipient.name):
        # A place that came home without its words says nothing of what stood there.
        is_untold = bool(is_withheld) or kind == "unknown"
        if is_withheld:
            blank.add(UUID(event_id))
        said[UUID(event_id)] = (is_untold and said.get(UUID(event_id), (True, ""))[0], kind)
    untold = never_told(sender)
    for event_id, (is_withheld, kind) in said.items():
        state, _ = states.get(event_id, (None, ""))
        if state == "withheld" and event_id in untold | blank:
            continue  # blank in a life that was lost, and said again before that came home: its sender was told, and ended it
        if not is_withheld and state not in {"applied", "tombstoned", "erased"} and event_id not in orphans:
            found.append(f"{way}: {event_id} ({kind}) was said and is {state}")
    for event_id, (state, kind) in states.items():
        if state == "applied" and event_id not in said:
            found.append(f"{way}: {event_id} ({kind}) is applied and its sender does not know of it")
    for event_id, event in world.ledger.said.items():
        if (event.sender, event.recipient) == (sender.name, recipient.name) and not event.may_be_lost and event_id not in states:
            found.append(f"{way}: {event_id} was always held by one of the two and is lost")
    return found


def _in_order(world: World, sender: Agency, recipient: Agency) -> list[str]:
    """What waits for what it was told after stands after it in the referral's story, unless its sender had lost that."""
    story = "SELECT event_id, min(position) FROM casework_referral_facts WHERE NOT is_own GROUP BY event_id"
    places = dict(recipient.database.rows(story))
    after = "SELECT event_id, \"after\", type FROM exchange_inbox WHERE sender = ? AND state = 'applied'"
    found = []
    for event_id, before, kind in recipient.database.rows(after, sender.name):
        if kind not in WAITING or event_id not in places or before not in places:
            continue
        told = world.ledger.said.get(UUID(before))
        if told is not None and not told.may_be_lost and places[event_id] < places[before]:
            found.append(f"{sender.name} to {recipient.name}: {kind} stands before {UUID(before)}, which it was told after")
    return found


def _referral(agency: Agency, referral: UUID) -> dict[str, Any] | None:
    names = ("state", "standing", "told", "feedback_agreed", "feedback", "consent_id", "said", "issued_event_id")
    rows = agency.database.rows(f"SELECT {', '.join(names)} FROM casework_referrals WHERE id = ?", referral.hex)
    return dict(zip(names, rows[0], strict=True)) if rows else None


def _ends(referral: UUID, issuer: Agency, recipient: Agency) -> list[str]:
    """Both ends of a referral agree as far as `fb` allows; one that only its issuer knows has ended there."""
    here, there = _referral(issuer, referral), _referral(recipient, referral)
    about = f"referral {referral} of {issuer.name} to {recipient.name}"
    if here is None:
        # What rested on a consent that was taken back went with it, and nobody gives a restored issuer its words back.
        went = there is not None and issuer.database.rows(
            "SELECT 1 FROM casework_consents WHERE id = ? AND taken_back_at IS NOT NULL", there["consent_id"]
        )
        if went:
            return []
        return [f"{about}: its issuer does not know it, and it is {there['state']} there"] if there is not None else []
    standing = story.load(json.loads(here["standing"]))
    if there is None:
        return [] if standing.is_ended else [f"{about}: it is {standing.state} at its issuer, and its recipient does not know it"]
    kept = recipient.database.rows(
        "SELECT type, data FROM casework_referral_facts WHERE referral_id = ? AND is_kept_back ORDER BY position", referral.hex
    )
    keys = recipient.database.keys
    assert keys is not None
    end = lifecycle.Recipient(
        story.load(json.loads(there["standing"])), story.load(json.loads(there["told"])), bool(there["feedback_agreed"]),
        bool(there["feedback"]), tuple(events.read(kind, DATA.open(referral.bytes + data, keys)) for kind, data in kept),
    )  # fmt: skip
    return [] if lifecycle.agree(standing, end) else [f"{about}: its issuer has {standing}, its recipient {end}"]


def _facts(agency: Agency) -> list[str]:
    """What was said or heard about a referral that is here stands in its story once."""
    twice = (
        "SELECT referral_id, type, count(*) FROM casework_referral_facts WHERE event_id IS NOT NULL"
        " GROUP BY referral_id, event_id, type HAVING count(*) > 1"
    )
    found = [
        f"{agency.name}: {kind} of {UUID(about)} stands in its story {n} times" for about, kind, n in agency.database.rows(twice)
    ]
    missing = (
        "SELECT type, subject FROM {} AS e JOIN casework_referrals AS r ON r.id = e.subject WHERE {} AND NOT EXISTS"
        " (SELECT 1 FROM casework_referral_facts AS f WHERE f.event_id = e.event_id)"
    )
    for table, which in (("exchange_inbox", "e.state = 'applied'"), ("exchange_outbox", "NOT e.is_withheld")):
        for kind, subject in agency.database.rows(missing.format(table, which)):
            if kind in REFERRAL_TYPES:
                found.append(f"{agency.name}: {kind} of {UUID(subject)} is in {table} and not in its story")
    told = (
        "SELECT e.event_id, count(a.position) FROM exchange_inbox AS e LEFT JOIN exchange_activity AS a ON a.event_id = e.event_id"
        " WHERE e.state = 'applied' AND e.type IN ('case.progress', 'circle.referral_progress') GROUP BY e.event_id"
        " HAVING count(a.position) <> 1"
    )
    return found + [f"{agency.name}: progress {UUID(one)} was written down {n} times" for one, n in agency.database.rows(told)]


def _words(consent: UUID, issuer: Agency, recipient: Agency) -> list[str]:
    heard = (
        "SELECT type FROM exchange_inbox WHERE sender = ? AND consent_id = ? AND type <> ? AND state <> 'withheld'"
        ' AND "inner" IS NOT NULL'
    )
    told = (
        "SELECT type FROM exchange_outbox WHERE recipient = ? AND consent_id = ? AND type <> ? AND NOT is_withheld"
        ' AND ("inner" IS NOT NULL OR data IS NOT NULL)'
    )
    found = [
        f"{recipient.name}: {kind} lies here under consent {consent}, which was taken back"
        for (kind,) in recipient.database.rows(heard, issuer.name, consent.hex, TAKEN_BACK)
    ]
    found += [
        f"{issuer.name}: {kind} may be said again under consent {consent}, which was taken back"
        for (kind,) in issuer.database.rows(told, recipient.name, consent.hex, TAKEN_BACK)
    ]
    for table, name in (("casework_circle_members", "agency"), ("casework_progress", "agency")):
        query = f"SELECT 1 FROM {table} WHERE {name} = ? AND consent_id = ?"
        if recipient.database.rows(query, issuer.name, consent.hex):
            found.append(f"{recipient.name}: {table} keeps what was told under {consent}")
    key = received_key(issuer.name, consent)
    keys = recipient.database.keys
    if keys is None or not keys.gone([key]):
        found.append(f"{recipient.name}: the key of what was told under {consent} is here")
    signed = issuer.database.rows("SELECT outcome FROM casework_erasures WHERE consent_id = ?", consent.hex)
    if signed != [("destroyed",)]:
        found.append(f"{issuer.name}: of consent {consent} it holds the receipt {signed}")
    return found


def _taken_back(consent: UUID, issuer: Agency, recipient: Agency) -> list[str]:
    """Nothing is open under a consent that was taken back, its recipient keeps nothing of it and has signed that, nobody is told it
    again, and it does not stand again."""
    found = _words(consent, issuer, recipient)
    under = "SELECT id, state, said FROM casework_referrals WHERE consent_id = ? AND direction = ?"
    for agency, direction in ((issuer, "out"), (recipient, "in")):
        if direction == "in":
            rows = agency.database.rows(under + " AND issuer = ?", consent.hex, direction, issuer.name)
        else:
            rows = agency.database.rows(under, consent.hex, direction)
        for referral, state, said in rows:
            if state != "cancelled" or (direction == "in" and said is not None):
                found.append(f"{agency.name}: referral {UUID(referral)} is {state} under consent {consent}, which was taken back")
    parts = "SELECT id FROM casework_cases WHERE told_under LIKE ?"
    found += [
        f"{recipient.name}: case {case} keeps what was told under {consent}"
        for (case,) in recipient.database.rows(parts, f"%{consent}%")
    ]
    stands = issuer.database.rows("SELECT 1 FROM casework_consents WHERE id = ? AND taken_back_at IS NULL", consent.hex)
    return [*found, *([f"{issuer.name}: consent {consent} stands again"] if stands else [])]


def unalarmed(agency: Agency, programme: Programme) -> list[str]:
    """What is late at this moment, by this oracle's own reckoning, and has no alarm. Asked right after a watcher's look."""
    late = (
        "SELECT id, urgency, issued_at FROM casework_referrals AS r WHERE direction = 'out' AND is_open AND delivered_at IS NULL"
        " AND told_by_phone_at IS NULL AND state = 'issued' AND NOT EXISTS"
        " (SELECT 1 FROM casework_alarms WHERE kind = 'undelivered' AND about = r.id AND resolved_at IS NULL)"
    )
    now = agency.clock.now().replace(tzinfo=None)
    return [
        f"{agency.name}: referral {UUID(referral)} has no receipt and no alarm"
        for referral, urgency, issued_at in agency.database.rows(late)
        if now - datetime.fromisoformat(issued_at) > programme.limits.delivered_h.of(Urgency(urgency))
    ]
