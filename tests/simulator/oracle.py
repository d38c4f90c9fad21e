"""What must be true once the weather is fine and all has been said: nothing lost, nothing doubled, nothing falsely claimed."""

from collections import defaultdict
from itertools import pairwise
from typing import Any
from uuid import UUID

from world import Agency, World

DONE = {"applied", "withheld", "tombstoned", "erased", "refused", "gone"}


def judge(world: World) -> list[str]:
    """Every breach in words; empty where all is well."""
    found = list(world.ledger.faults)
    for sender in world.agencies.values():
        for peer in sender.peers:
            found += _pair(world, sender, world.agencies[peer])
    for agency in world.agencies.values():
        found += own(world, agency)
    return found


def _rows(agency: Agency, query: str, *values: object) -> list[tuple[Any, ...]]:
    return agency.database.rows(query, *values)


def _pair(world: World, sender: Agency, recipient: Agency) -> list[str]:
    way = f"{sender.name} to {recipient.name}"
    if world.was_too_old:
        return streams(world, sender, recipient)  # words may be gone, and what stood there is told; places and proofs are whole
    said: dict[UUID, bool] = {}
    told = _rows(sender, "SELECT event_id, is_withheld, type FROM exchange_outbox WHERE recipient = ?", recipient.name)
    for event_id, is_withheld, kind in told:
        if kind != "exchange.reopened":  # a place that came home without its words says nothing of what stood there
            said[UUID(event_id)] = (bool(is_withheld) or kind == "unknown") and said.get(UUID(event_id), True)
    states = {
        UUID(event_id): state
        for event_id, state, kind in _rows(
            recipient, "SELECT event_id, state, type FROM exchange_inbox WHERE sender = ?", sender.name
        )
        if kind != "exchange.reopened"
    }
    applied = _of(states, "applied")
    found = [f"{way}: {event_id} is {state}" for event_id, state in states.items() if state not in DONE]
    meant = {event_id for event_id, is_withheld in said.items() if not is_withheld} - world.cursed
    # Withheld in a life that was lost, and said again before the recipient gave its blank place back: the sender was told so.
    meant -= never_told(sender) & _of(states, "withheld")
    found += [f"{way}: {event_id} was said and is not applied ({states.get(event_id)})" for event_id in meant - applied]
    found += [f"{way}: {event_id} is applied and its sender does not know of it" for event_id in applied - set(said)]
    for event_id, event in world.ledger.said.items():
        if (
            (event.sender, event.recipient) == (sender.name, recipient.name)
            and not event.may_be_lost
            and event_id not in (states.keys() | world.cursed)
        ):
            found.append(f"{way}: {event_id} was always held by one of the two and is lost")
    found += [f"{way}: {event_id} has come and counts as never said" for event_id in _come(recipient, sender) & _of(states, "gone")]
    found += _effects(world, way, recipient, applied, sender)
    found += streams(world, sender, recipient)
    return found


def _of(states: dict[UUID, str], wanted: str) -> set[UUID]:
    return {event_id for event_id, state in states.items() if state == wanted}


def _come(recipient: Agency, sender: Agency) -> set[UUID]:
    return {UUID(e) for (e,) in _rows(recipient, "SELECT event_id FROM exchange_slots WHERE sender = ?", sender.name)}


def never_told(sender: Agency) -> set[UUID]:
    """What an agency learned, after a restore, that it had withheld."""
    return {UUID(event_id) for (event_id,) in _rows(sender, "SELECT event_id FROM exchange_activity WHERE kind = 'never told'")}


def _effects(world: World, way: str, recipient: Agency, applied: set[UUID], sender: Agency) -> list[str]:
    order: dict[UUID, list[int]] = defaultdict(list)
    lines = "SELECT event_id, position FROM exchange_activity WHERE kind = 'heard' AND agency = ? ORDER BY position"
    for event_id, position in _rows(recipient, lines, sender.name):
        order[UUID(event_id)].append(position)
    found = [f"{way}: {event_id} took effect {len(order[event_id])} times" for event_id in applied if len(order[event_id]) != 1]
    after = "SELECT event_id, \"after\" FROM exchange_inbox WHERE sender = ? AND state = 'applied' AND type = 'story.told'"
    for event_id, before in _rows(recipient, after, sender.name):
        if not before or world.ledger.said[UUID(before)].may_be_lost:
            continue  # its sender did not know of it after a restore and said so: it came all the same, and then as late as it came
        if order.get(UUID(before)) and order[UUID(before)][0] > order[UUID(event_id)][0]:
            found.append(f"{way}: {UUID(event_id)} took effect before {UUID(before)}, which it was told after")
    if not sender.was_restored and not recipient.was_restored:
        found += _as_committed(world, way, sender, recipient, order)
    return found


def _as_committed(world: World, way: str, sender: Agency, recipient: Agency, order: dict[UUID, list[int]]) -> list[str]:
    """The subject's order is the order of commits; an event that never waits may come before it."""
    stories: dict[UUID, list[UUID]] = defaultdict(list)
    for event_id, event in world.ledger.said.items():
        if (event.sender, event.recipient) == (sender.name, recipient.name) and event.step > 0 and order.get(event_id):
            stories[event.subject].append(event_id)
    return [
        f"{way}: of subject {subject}, {later} took effect before {earlier}"
        for subject, told in stories.items()
        for earlier, later in pairwise(told)
        if order[earlier][0] > order[later][0]
    ]


def streams(world: World, sender: Agency, recipient: Agency) -> list[str]:
    """Of one way: no hole, dense numbers, a signature under each, and no fork where no number was given twice."""
    way, found = f"{sender.name} to {recipient.name}", list[str]()
    held = "SELECT incarnation, upto, highest, held FROM exchange_heads WHERE sender = ?"
    for incarnation, upto, highest, count in _rows(recipient, held, sender.name):
        if upto < highest and not world.cursed:
            found.append(f"{way}: life {incarnation} has a hole at {upto + 1} of {highest}")
        passed_over = "SELECT count(*) FROM exchange_lost_slots WHERE sender = ? AND incarnation = ? AND seq <= ?"
        lost = _rows(recipient, passed_over, sender.name, incarnation, upto)  # others lie above a hole that stays
        if count + lost[0][0] != upto:
            found.append(f"{way}: life {incarnation} counts {count} held and {lost[0][0]} lost of {upto}")
    mine = (
        "SELECT incarnation, seq FROM exchange_outbox WHERE recipient = ? AND seq > 0 AND NOT is_forked ORDER BY incarnation, seq"
    )
    by_life: dict[str, list[int]] = defaultdict(list)
    for incarnation, seq in _rows(sender, mine, recipient.name):
        by_life[incarnation].append(seq)
    current = _rows(sender, "SELECT id FROM exchange_incarnations WHERE is_current")[0][0]
    for incarnation, seqs in by_life.items():
        if len(set(seqs)) != len(seqs) or (incarnation == current and seqs != list(range(1, len(seqs) + 1))):
            found.append(f"{way}: the numbers of life {incarnation} are {seqs}")
    unproved = "SELECT event_id FROM exchange_outbox WHERE recipient = ? AND delivered_at IS NULL AND NOT is_forked"
    unsigned = {UUID(event_id) for (event_id,) in _rows(sender, unproved, recipient.name)} - world.cursed
    if unsigned:
        found.append(f"{way}: {len(unsigned)} events were never signed for")
    forks = _rows(recipient, "SELECT count(*) FROM exchange_forks WHERE sender = ?", sender.name)[0][0]
    if forks and not sender.was_rolled_back:
        found.append(f"{way}: {forks} forks, and no number was given twice")
    refused = _rows(recipient, "SELECT count(*) FROM exchange_signed_heads WHERE sender = ? AND state = 'refused'", sender.name)[0][
        0
    ]
    if refused and not sender.was_rolled_back:
        found.append(f"{way}: {refused} heads were refused, and no number was given twice")
    return found


def own(world: World, agency: Agency) -> list[str]:
    """Of one agency: no recovery is open, its feed is dense, it has one life."""
    found = []
    waiting = _rows(agency, "SELECT peer FROM exchange_recoveries WHERE answered_at IS NULL")
    found += [f"{agency.name}: {peer} has not answered its restore" for (peer,) in waiting]
    feed = [seq for (seq,) in _rows(agency, "SELECT feed_seq FROM exchange_activity ORDER BY feed_seq")]
    if feed != list(range(1, len(feed) + 1)):
        found.append(f"{agency.name}: its feed is not dense")
    if lives := _rows(agency, "SELECT count(*) FROM exchange_incarnations WHERE is_current")[0][0] != 1:
        found.append(f"{agency.name}: {lives} current lives")
    return found
