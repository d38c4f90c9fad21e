"""Numbering, applying and receipting between two databases, with the wire in the test's hands."""

import asyncio
import random
from datetime import timedelta

import pytest
from exchange_node import new_subject
from exchange_pair import Pair

from shared.contracts.wire.envelope import DATA_BYTES_MAX, Header, Kind
from shared.exchange import outbox
from shared.exchange.inbox import SWEEP_BATCH
from shared.exchange.receipts import ASK_AGAIN, GRACE, STILL
from shared.kit.errors import Conflict


async def test_what_is_said_is_applied_once_and_receipted(pair: Pair) -> None:
    subject = new_subject()
    said = [await pair.police.say("health", subject, step) for step in range(3)]
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", envelopes)
    again = await pair.health.hear("police", envelopes)
    await pair.police.take("health", await pair.health.state("police"))
    assert pair.health.applied == [(subject, 0), (subject, 1), (subject, 2)]
    assert again.duplicates == 3
    assert sorted(pair.police.delivered_ids) == sorted(said)


async def test_any_order_of_batches_ends_in_the_subjects_order(pair: Pair) -> None:
    subjects = [new_subject() for _ in range(4)]
    for step in range(5):
        for subject in subjects:
            await pair.police.say("health", subject, step)
    envelopes = await pair.police.number("health")
    random.Random(7).shuffle(envelopes)
    for envelope in [*envelopes, *envelopes[:6]]:
        await pair.health.hear("police", [envelope])
    for subject in subjects:
        assert [step for s, step in pair.health.applied if s == subject] == [0, 1, 2, 3, 4]


async def test_an_acute_row_is_numbered_first_and_waits_for_nobody_if_new(pair: Pair) -> None:
    for step in range(3):
        await pair.police.say("health", new_subject(), step)
    await pair.police.say("health", new_subject(), 99, is_acute=True, type="story.begun")
    first, *_ = await pair.police.number("health")
    await pair.health.hear("police", [first])
    assert [step for _, step in pair.health.applied] == [99]


async def test_what_no_envelope_holds_is_refused_when_it_is_said_and_holds_nobody_up(pair: Pair) -> None:
    with pytest.raises(Conflict, match="too long for one message"):
        await pair.police.say("health", new_subject(), 1, fails="x" * DATA_BYTES_MAX)
    assert await pair.police.outbox_rows() == []
    longest = DATA_BYTES_MAX - len('{"step":2,"fails":""}')
    for step, length in ((2, longest), (3, 1)):
        await pair.police.say("health", new_subject(), step, fails="x" * length)
    await pair.health.hear("police", await pair.police.number("health"))
    assert [step for _, step in pair.health.applied] == [2, 3]


async def test_two_relays_leave_a_dense_stream(pair: Pair) -> None:
    for step in range(40):
        await pair.police.say("health", new_subject(), step)
    await asyncio.gather(*(pair.police.number("health") for _ in range(4)))
    rows = await pair.police.outbox_rows()
    assert sorted(row.seq or 0 for row in rows) == list(range(1, 41))


async def test_a_withheld_row_leaves_no_hole_and_frees_what_follows(pair: Pair) -> None:
    subject = new_subject()
    first = await pair.police.say("health", subject, 0)
    async with pair.police.database.write() as tx:
        assert await outbox.withhold_event(tx, first)
    await pair.police.say("health", subject, 1)
    await pair.health.hear("police", await pair.police.number("health"))
    async with pair.police.database.write() as tx:
        assert not await outbox.withhold_event(tx, first)
    assert pair.health.applied == [(subject, 1)]
    assert (await pair.health.inbox_states())[first] == "withheld"


async def test_a_lost_record_is_asked_for_and_comes(pair: Pair) -> None:
    subject = new_subject()
    for step in range(3):
        await pair.police.say("health", subject, step)
    kept, _lost, later = await pair.police.number("health")
    await pair.police.mark_all_sent()
    await pair.health.hear("police", [kept, later])
    early = await pair.health.state("police")
    pair.clock.advance(STILL)
    late = await pair.health.state("police")
    assert (early.receipts[0].missing, late.receipts[0].missing) == ((), (2,))
    await pair.police.take("health", late)
    await pair.health.hear("police", await pair.police.due("health"))
    assert [step for _, step in pair.health.applied] == [0, 1, 2]
    await pair.police.take("health", await pair.health.state("police"))
    assert len(pair.police.delivered_ids) == 3


async def test_what_may_lie_unread_behind_what_came_is_not_asked_for_again(pair: Pair) -> None:
    subject = new_subject()
    for step in range(4):
        await pair.police.say("health", subject, step)
    sent = await pair.police.number("health")
    await pair.health.hear("police", sent[:1])
    await pair.health.take("police", await pair.police.state("health"))  # its heartbeat says: four
    for envelope in sent[1:3]:
        pair.clock.advance(GRACE + timedelta(seconds=1))
        await pair.health.hear("police", [envelope])
        assert (await pair.health.state("police")).receipts[0].missing == ()
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (4,)


async def test_the_last_record_lost_is_noticed_by_the_announced_size(pair: Pair) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")
    await pair.police.mark_all_sent()
    await pair.health.take("police", await pair.police.state("health"))
    pair.clock.advance(STILL)
    statement = await pair.health.state("police")
    assert statement.receipts[0].missing == (1,)
    assert (await pair.health.state("police")).receipts[0].missing == ()
    pair.clock.advance(ASK_AGAIN)
    assert (await pair.health.state("police")).receipts[0].missing == (1,)


async def test_a_range_above_a_hole_is_delivered_only_with_its_own_root(pair: Pair) -> None:
    for step in range(4):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", envelopes[2:])
    statement = await pair.health.state("police")
    (receipt,) = statement.receipts
    lie = receipt.ranges[0].model_copy(update={"root": b"\1" * 32})
    await pair.police.take("health", statement.model_copy(update={"receipts": (receipt.model_copy(update={"ranges": (lie,)}),)}))
    assert pair.police.delivered_ids == []
    await pair.police.take("health", statement)
    assert len(pair.police.delivered_ids) == 2


async def test_a_root_that_is_not_ours_delivers_nothing_and_is_told(pair: Pair) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    statement = await pair.health.state("police")
    wrong = statement.receipts[0].model_copy(update={"root": b"\1" * 32})
    await pair.police.take("health", statement.model_copy(update={"receipts": (wrong,)}))
    # It may be a restore that nobody noticed: a new life is opened and told. A second time within the hour it is the peer's fault.
    assert (pair.police.delivered_ids, pair.police.troubles) == ([], ["reopened"])
    await pair.health.hear("police", await pair.police.number("health"))
    again = await pair.health.state("police")
    newest = again.receipts[-1].model_copy(update={"root": b"\1" * 32})
    await pair.police.take("health", again.model_copy(update={"receipts": (newest,)}))
    assert (pair.police.delivered_ids, pair.police.troubles) == ([], ["reopened", "root_mismatch"])


async def test_a_stale_receipt_never_lowers_a_held_one(pair: Pair) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    stale = await pair.health.state("police")
    await pair.police.say("health", new_subject(), 1)
    await pair.health.hear("police", await pair.police.number("health"))
    fresh = await pair.health.state("police")
    await pair.police.take("health", fresh)
    await pair.police.take("health", stale)
    await pair.police.take("health", fresh)
    assert len(pair.police.delivered_ids) == 2


async def test_another_leaf_in_a_taken_slot_is_kept_as_evidence_only(pair: Pair) -> None:
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    (envelope,) = await pair.police.number("health")
    await pair.health.hear("police", [envelope])
    inner = pair.health.seal.open(envelope, "police")
    header = Header(**{**inner.header.model_dump(), "kind": Kind.EVENT, "salt": b"other" * 3 + b"!"})
    forged = pair.police.seal.seal(pair.police.seal.sign(header, inner.content), "health")
    await pair.health.hear("police", [forged])
    await pair.health.hear("police", [forged])
    assert pair.health.applied == [(subject, 0)]
    assert pair.health.troubles == ["fork"]


@pytest.mark.parametrize("options", [{"dataversion": 9}, {"fails": "unauthorised"}, {"fails": "always"}, {"type": "story.unknown"}])
async def test_what_cannot_be_applied_is_parked_and_blocks_nobody_else(pair: Pair, options: dict[str, object]) -> None:
    bad, other = new_subject(), new_subject()
    parked = await pair.police.say("health", bad, 0, **options)
    follower = await pair.police.say("health", bad, 1)
    await pair.police.say("health", other, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    states = await pair.health.inbox_states()
    assert pair.health.applied == [(other, 0)]
    assert (states[parked], states[follower]) == ("parked", "waiting")
    assert pair.health.troubles == ["parked"]
    assert (await pair.health.state("police")).receipts[0].upto == 3


async def test_a_parked_event_that_is_retried_frees_what_waited(pair: Pair) -> None:
    subject = new_subject()
    pair.health.broken = True
    parked = await pair.police.say("health", subject, 0, fails="once")
    await pair.police.say("health", subject, 1)
    await pair.health.hear("police", await pair.police.number("health"))
    assert pair.health.applied == []
    pair.health.broken = False
    assert await pair.health.inbox.retry("police", parked)
    assert pair.health.applied == [(subject, 0), (subject, 1)]


async def test_a_predecessor_that_was_never_said_is_enquired_for_and_stated_gone(pair: Pair) -> None:
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    await pair.police.say("health", subject, 1)
    _first, second = await pair.police.number("health")
    await pair.health.hear("police", [second])
    pair.clock.advance(STILL)
    (asked,) = (await pair.health.state("police")).enquiries
    await pair.health.inbox.gone("police", [asked])
    assert pair.health.applied == [(subject, 1)]


async def test_what_was_stated_gone_and_was_under_way_is_applied_when_it_comes(pair: Pair) -> None:
    subject = new_subject()
    first = await pair.police.say("health", subject, 0, type="story.begun")
    await pair.police.say("health", subject, 1)
    under_way, later = await pair.police.number("health")
    await pair.health.hear("police", [later])
    await pair.health.inbox.gone("police", [first])  # its sender, restored, does not know of it
    assert pair.health.applied == [(subject, 1)]
    await pair.health.hear("police", [under_way])
    assert pair.health.applied == [(subject, 1), (subject, 0)]
    assert (await pair.health.inbox_states())[first] == "applied"
    again = await pair.health.hear("police", [under_way])
    assert (again.duplicates, len(pair.health.applied)) == (1, 2)


async def test_what_went_without_its_predecessor_and_failed_for_it_is_tried_again_when_that_comes(pair: Pair) -> None:
    subject = new_subject()
    first = await pair.police.say("health", subject, 0, type="story.begun")
    second = await pair.police.say("health", subject, 1, fails="once")
    under_way, later = await pair.police.number("health")
    await pair.health.hear("police", [later])
    pair.health.broken = True  # as a handler is that does not find what its event is about
    await pair.health.inbox.gone("police", [first])
    assert (await pair.health.inbox_states())[second] == "parked"
    pair.health.broken = False
    await pair.health.hear("police", [under_way])
    await pair.health.inbox.sweep()
    assert pair.health.applied == [(subject, 0), (subject, 1)]


async def test_what_waits_without_a_predecessor_is_signed_for_and_nobody_is_asked(pair: Pair) -> None:
    waiting = await pair.police.say("health", new_subject(), 0, fails="unready")
    await pair.health.hear("police", await pair.police.number("health"))
    pair.clock.advance(STILL)
    assert (await pair.health.inbox_states())[waiting] == "waiting"
    said = await pair.health.state("police")
    assert (said.enquiries, said.receipts[0].upto) == ((), 1)


async def test_those_that_stay_unready_keep_no_others_from_being_tried(pair: Pair) -> None:
    for _ in range(SWEEP_BATCH):
        await pair.police.say("health", new_subject(), 0, fails="unready")
    await pair.health.hear("police", await pair.police.number("health"))
    subject = new_subject()
    first = await pair.police.say("health", subject, 0)
    second = await pair.police.say("health", subject, 1)
    await pair.health.hear("police", (await pair.police.number("health"))[1:])
    await pair.health.inbox.gone("police", [first])
    for _ in range(2):
        await pair.health.inbox.sweep()
    assert (await pair.health.inbox_states())[second] == "applied"


async def test_two_batches_at_once_lose_no_wake_up(pair: Pair) -> None:
    subjects = [new_subject() for _ in range(6)]
    for step in range(2):
        for subject in subjects:
            await pair.police.say("health", subject, step)
    envelopes = await pair.police.number("health")
    firsts, seconds = envelopes[:6], envelopes[6:]
    await asyncio.gather(
        pair.health.hear("police", seconds), pair.health.hear("police", firsts), pair.health.hear("police", seconds)
    )
    assert sorted(pair.health.applied) == sorted((s, step) for s in subjects for step in range(2))
    statement = await pair.health.state("police")
    assert statement.receipts[0].upto == 12


async def test_numbering_nothing_moves_no_head(pair: Pair) -> None:
    assert await pair.police.number("health") == []
    assert (await pair.police.state("health")).heads[0].size == 0
