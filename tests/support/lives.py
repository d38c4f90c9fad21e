"""The oracle for streams of an agency that was restored: its lives one by one, as it said them and as its peers hold them."""

import itertools
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from processes import ProcessNetwork

Slots = dict[tuple[UUID, int], tuple[bytes, UUID]]  # (life, number): (leaf, event)


def slots_of(network: ProcessNetwork, recipient: str, sender: str) -> Slots:
    """What a recipient holds of a sender's words."""
    query = f"SELECT incarnation, seq, leaf, event_id FROM exchange_slots WHERE sender = '{network.names[sender]}'"
    return _slots(network.rows(recipient, query))


def check_lives(network: ProcessNetwork, kinds: Iterable[str]) -> None:
    """In each life numbers are dense, but for those stated lost; both ends hold the same words; all is done, nothing forked."""
    for sender, recipient in itertools.permutations(kinds, 2):
        query = f"SELECT incarnation, seq, leaf, event_id FROM exchange_outbox WHERE recipient = '{network.names[recipient]}'"
        said, held = _slots(network.rows(sender, query)), slots_of(network, recipient, sender)
        assert said == held, f"{recipient} does not hold what {sender} said"
        theirs = f"FROM exchange_{{}} WHERE sender = '{network.names[sender]}'"
        lost = network.rows(recipient, "SELECT incarnation, seq " + theirs.format("lost_slots"))
        slots = {*said, *((UUID(str(life)), int(seq)) for life, seq in lost)}
        for life in {life for life, _ in slots}:
            numbers = sorted(seq for one, seq in slots if one == life)
            assert numbers == list(range(1, len(numbers) + 1)), f"the stream {sender} to {recipient} is not dense"
        states = dict(network.rows(recipient, "SELECT state, count(*) " + theirs.format("inbox") + " GROUP BY state"))
        assert set(states) <= {"applied", "gone"}, f"{sender} to {recipient}: {states}"
        assert states.get("applied", 0) == len({event for _, event in said.values()})
        assert not network.rows(recipient, "SELECT 1 FROM exchange_forks")


def _slots(rows: list[tuple[Any, ...]]) -> Slots:
    return {(UUID(str(life)), int(seq)): (bytes(leaf), UUID(str(event))) for life, seq, leaf, event in rows}
