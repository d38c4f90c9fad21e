"""One agency's clock is a day ahead, then behind: order stays, nothing is rejected, each end keeps its deadlines by its own clock.

Security.md section 7 number 8.
"""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from schema import postgres_at_head
from servers import Kafka
from walls import Wall

from shared.contracts.casework.codes import Urgency
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

DAY = timedelta(days=1)
RUN_UP = timedelta(seconds=3)  # of the clocks before the deadline
# Of an alarm from its deadline, both by the clock that the agency goes by: security.md section 7 number 8. Nobody's watch is in it,
# and a test that is kept waiting keeps the hands of the clocks waiting with it.
KEPT_WITHIN = timedelta(seconds=5)
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # half a minute each when quiet


def story(desk: Process, there: Process, case: str) -> str:
    """A referral that is served to its end, with a word of either side in turn."""
    referral = issue(desk, case, there.kind)
    desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})
    until(lambda: desk.network.facts_of(there.kind, referral) == ["issued", "set_out"], "the referral to arrive")
    there.post(f"/referrals/{referral}/accept")
    there.post(f"/referrals/{referral}/arrive", {"feedback": True})
    there.post(f"/referrals/{referral}/close", {"outcome_code": "served"})
    until(lambda: desk.get(f"/referrals/{referral}")["status"] == "closed", "the desk to know the end")
    return referral


def check_deadline(walls: dict[str, Wall], desk: Process, there: Process, case: str) -> None:
    """A referral that nobody looks at: either end alarms its own people in time by its own clock, when it has known of it for so
    long, or when the time to answer by has come, which the desk wrote by its own (docs/operating.md)."""
    network, late = desk.network, issue(desk, case, there.kind)
    until(lambda: network.facts_of(there.kind, late) == ["issued"], "the referral to arrive")
    limit = load_programme("zm-vsu-ec").limits.acknowledge_h.of(Urgency.ACUTE)
    known = (
        "SELECT f.recorded_at, r.respond_by FROM casework_referral_facts AS f JOIN casework_referrals AS r ON r.id = f.referral_id"
        f" WHERE r.id = '{late}' AND f.type = 'referral.issued'"
    )
    raised = f"SELECT min(raised_at) FROM casework_alarms WHERE about = '{late}' AND kind = 'unacknowledged'"
    due = {}
    for kind, wall in walls.items():
        ((entered_at, respond_by),) = network.rows(kind, known)
        assert abs(wall.now() - entered_at) < timedelta(minutes=1), f"{kind} goes by another clock"
        due[kind] = max(entered_at, min(entered_at + limit, respond_by))
        if due[kind] > entered_at:
            assert network.rows(kind, raised) == [(None,)], f"{kind} alarmed before the deadline"
            wall.set(due[kind] - RUN_UP)
    for kind, at in due.items():
        until(lambda k=kind: network.rows(k, raised) != [(None,)], f"{kind}'s alarm that nobody has seen it")  # type: ignore[misc]
        after = network.rows(kind, raised)[0][0] - at
        print(f"{kind}: the alarm came {after.total_seconds():.1f} s after the deadline, by its own clock")
        assert timedelta(0) <= after <= KEPT_WITHIN


def check_receipt(wall: Wall, desk: Process, there: Process, case: str) -> None:
    """The other end is not at work: the desk alarms its own people in time by its own clock that nobody has signed for it."""
    assert there.stop() == 0
    late = issue(desk, case, there.kind)
    entered = f"SELECT recorded_at FROM casework_referral_facts WHERE referral_id = '{late}' AND type = 'referral.issued'"
    raised = f"SELECT min(raised_at) FROM casework_alarms WHERE about = '{late}' AND kind = 'undelivered'"
    due = desk.network.rows(desk.kind, entered)[0][0] + load_programme("zm-vsu-ec").limits.delivered_h.of(Urgency.ACUTE)
    assert desk.network.rows(desk.kind, raised) == [(None,)], "the desk alarmed before the deadline"
    wall.set(due - RUN_UP)
    until(lambda: desk.network.rows(desk.kind, raised) != [(None,)], "the desk's alarm that nobody has signed for it")
    after = desk.network.rows(desk.kind, raised)[0][0] - due
    print(f"{desk.kind}: the alarm that a receipt is late came {after.total_seconds():.1f} s after the deadline, by its own clock")
    assert timedelta(0) <= after <= KEPT_WITHIN
    there.start()
    everyone_is_ready([desk, there])


@pytest.mark.parametrize("victim", KINDS)
def test_clocks_a_day_apart_that_step_change_no_order_reject_nothing_and_keep_each_deadline(
    victim: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    ends = ("police", "social_welfare" if victim == "social_welfare" else "health")
    urls = {kind: postgres_at_head(postgres, kind) if kind in ends else f"sqlite:///{tmp_path / 'idle.db'}" for kind in KINDS}
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    walls = {kind: Wall(tmp_path / f"clock-{kind}", DAY if kind == victim else timedelta(0)) for kind in ends}
    network.more = {kind: wall.environment for kind, wall in walls.items()}
    with ExitStack() as going:
        for wall in walls.values():
            going.enter_context(wall.running())
        desk, there = going.enter_context(network.started(*((kind, "serve") for kind in ends)))
        everyone_is_ready([desk, there])
        case = open_case(desk)
        told = [story(desk, there, case)]
        open_yet = issue(desk, case, there.kind)
        until(lambda: network.facts_of(there.kind, open_yet) == ["issued"], "the referral to arrive")
        walls[victim].stand(-DAY)  # somebody sets it, in the middle of a story
        there.post(f"/referrals/{open_yet}/accept")
        told.append(story(desk, there, case))
        check_receipt(walls[desk.kind], desk, there, case)
        check_deadline(walls, desk, there, case)
        for kind, wall in walls.items():
            wall.stand(DAY if kind == victim else timedelta(0))  # and back again
        check_deadline(walls, desk, there, case)
        until(lambda: in_step([desk, there]), "everything to be signed for")
        for end in ends:
            assert network.facts_of(end, open_yet) == ["issued", "accepted"]
            for referral in told:
                assert network.facts_of(end, referral) == ["issued", "set_out", "accepted", "arrived", "closed"]
            assert network.rows(end, "SELECT reason FROM exchange_unopenable") == []
        network.check_streams(ends)
