"""A slow clinic and a slow desk have a backlog of each other's before them: what is acute and every receipt overtake it in time,
and memory does not grow with it. Security.md section 7 number 18.

In the long tier: a hundred thousand referrals take some minutes.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from servers import Kafka

from bench.pipes import COMMITTED, connected
from bench.stamps import issue_many
from shared.kit.local.postgres import PostgresCluster

BACKLOG = 100_000  # referrals to the clinic, none of them acute
BACK = 50_000  # of the clinic's to the desk, on whose way receipts travel
# What a database on a slow disk takes longer for each referral that comes: what a quick one takes in one second takes several here.
SLOW_MS = {"health": 4, "police": 8}  # both backlogs then last some seven minutes, however quick the machine is
EARLY, LATE = 0.1, 0.8  # of the backlogs: between the two acute ones are sent; memory is looked at from the first on
EVERY_S = 2.0  # an acute one is sent meanwhile
IDLE = 40  # acute ones sent one by one when there is no backlog any more, whose times are what may be added to
# What the backlog may add to the 95th percentile, from commit to commit. A batch that is being applied keeps the head of its stream
# from an acute one for its last milliseconds only; without a lane of its own this would be minutes.
ADDED_S_MAX = 1.0
# The same for a receipt, from the clinic's commit until the desk has it: of a stream that goes on there is one each half second.
SIGNED_ADDED_S_MAX = 2.0
FLAT = 1.1  # memory at its highest as against the first tenth of the way (issue: ± 10 %)
# The same of a desk's worker that does nothing but send. It comes to hold the keys of the 20,000 cases that a process keeps: over
# 60,000 events it went from 179 to 195 MB, ever more slowly. At that pace over all 200,000 it would be over this.
FLAT_SENDING = 1.2
DRAIN_S = 1_500.0  # seven minutes when quiet
PLACES = {"health": ("ndola_clinic", "acute_care"), "police": ("ndola_central_vsu", "report_to_police")}
SLOW = """
    CREATE FUNCTION slow_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({ms} / 1000.0); RETURN NEW; END $$;
    CREATE TRIGGER slow_disk BEFORE INSERT ON casework_referrals FOR EACH ROW WHEN (NEW.direction = 'in')
    EXECUTE FUNCTION slow_disk();
"""
pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]


async def make_slow(network: ProcessNetwork) -> None:
    for kind, ms in SLOW_MS.items():
        async with connected(network.urls[kind]) as database:
            await database.execute(SLOW.format(ms=ms))


async def fill(network: ProcessNetwork, kind: str, count: int) -> None:
    async with connected(network.urls[kind]) as desk:
        await issue_many(desk, count, network.settings(kind).keystore(network.names[kind]))


def arrived(network: ProcessNetwork, kind: str = "health") -> int:
    return int(network.rows(kind, "SELECT count(*) FROM casework_referrals WHERE direction = 'in'")[0][0])


def urgent(desk: Process, to: str) -> None:
    """What the backlog is copied from."""
    case, (facility, service) = open_case(desk, [to]), PLACES[to]
    place = {"to_agency": desk.network.names[to], "to_facility": facility}
    desk.post("/referrals", {"case_id": case, "incident_id": None, **place, "services": [service], "urgency": "urgent"})


def at(network: ProcessNetwork, kind: str, query: str) -> dict[UUID, float]:
    return {UUID(str(referral)): float(moment) for referral, moment in network.rows(kind, query)}


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def times(network: ProcessNetwork, referrals: Sequence[str]) -> tuple[list[float], list[float]]:
    """How long each took from the desk's commit to the clinic's, and from there until the desk had it signed: by the server that
    keeps both databases, so that nobody's watching is in it."""
    ids = ", ".join(f"'{referral}'" for referral in referrals)
    issued = f"type = 'referral.issued' AND {{}} IN ({ids})"
    committed = f"SELECT referral_id, {COMMITTED} FROM casework_referral_facts WHERE {issued.format('referral_id')}"
    signed = f"SELECT subject, extract(epoch FROM delivered_at) FROM exchange_outbox WHERE {issued.format('subject')}"
    said, held, had = at(network, "police", committed), at(network, "health", committed), at(network, "police", signed)
    assert said.keys() == held.keys() == had.keys() == {UUID(referral) for referral in referrals}
    return [held[one] - said[one] for one in said], [had[one] - held[one] for one in said]


class Samples:
    """The memory of some workers together, looked at on each tenth of a way of `count` things, first when a tenth is done."""

    def __init__(self, workers: Sequence[Process], count: int) -> None:
        self._workers, self._count, self.mb = workers, count, list[float]()

    def look(self, done: int) -> int:
        """Keeps a sample where another tenth is done; `done` again."""
        if done >= self._count * EARLY * (1 + len(self.mb)):
            self.take()
        return done

    def take(self) -> None:
        """Keeps a sample."""
        self.mb.append(sum(worker.rss_mb() for worker in self._workers))


def told(words: str, values: Sequence[float]) -> str:
    return f"{words}: median {statistics.median(values):.3f} s, p95 {p95(values):.3f} s, longest {max(values):.3f} s"


def test_what_is_acute_overtakes_a_backlog_at_slow_ends_in_time_and_memory_does_not_grow_with_it(
    kafka: Kafka, unique: str, tmp_path: Path
) -> None:
    with PostgresCluster(fsync=False, settings={"track_commit_timestamp": "on"}) as server:
        urls = {kind: server.fresh_database() for kind in SLOW_MS} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
        network = ProcessNetwork(tmp_path, kafka, unique, urls, partitions=4)
        network.lay_direct_lines()
        asyncio.run(network.set_up())
        asyncio.run(make_slow(network))
        with network.started(("police", "web"), ("health", "web"), ("police", "worker"), ("health", "worker")) as everyone:
            everyone_is_ready(everyone)
            desk, clinic, *workers = everyone
            for worker in workers:
                assert worker.stop() == 0, worker.last_words()
            for process, to in ((desk, "health"), (clinic, "police")):
                urgent(process, to)  # before anything comes: the one that there is is copied
            case = open_case(desk)
            acute = under_backlog(network, desk, clinic, case, workers)
            idle = [alone(network, desk, case) for _ in range(IDLE)]
            until(lambda: in_step([desk, clinic]), "the last to be signed for")
            network.check_streams(("police", "health"))
            for kind in ("police", "health"):
                assert network.rows(kind, "SELECT 1 FROM casework_alarms WHERE kind = 'broker_silent'") == []
            check_in_time(times(network, idle), times(network, acute))


def under_backlog(network: ProcessNetwork, desk: Process, clinic: Process, case: str, workers: Sequence[Process]) -> list[str]:
    """Lays both backlogs down, sends acute ones while they are worked off, and returns these when everything has arrived."""
    asyncio.run(fill(network, "police", BACKLOG))
    asyncio.run(fill(network, "health", BACK))
    said = f"SELECT count(*) FROM exchange_outbox WHERE recipient = '{clinic.agency}' AND seq IS NULL"
    sending = Samples(workers[:1], int(network.rows("police", said)[0][0]))
    workers[0].start()
    numbered = f"SELECT coalesce(max(size), 0) FROM exchange_streams WHERE recipient = '{clinic.agency}'"
    unsent = f"SELECT 1 FROM exchange_outbox WHERE recipient = '{clinic.agency}' AND sent_at IS NULL LIMIT 1"

    def all_sent() -> bool:
        sending.look(int(network.rows("police", numbered)[0][0]))
        return not network.rows("police", unsent)

    until(all_sent, "the broker to have the whole backlog", DRAIN_S)
    sending.take()
    assert arrived(network) == arrived(network, "police") == 0
    workers[1].start()
    until(lambda: arrived(network) > BACKLOG * EARLY, "the clinic to have begun", DRAIN_S)
    applying, acute = Samples(workers, BACKLOG), list[str]()
    # Whichever a machine works off first.
    while applying.look(arrived(network)) < BACKLOG * LATE and arrived(network, "police") < BACK * LATE:
        next_at = time.monotonic() + EVERY_S
        acute.append(issue(desk, case))
        until(lambda at=next_at: time.monotonic() >= at, "the next one's turn")  # type: ignore[misc]
    left = {"health": BACKLOG - arrived(network), "police": BACK - arrived(network, "police")}
    print(f"{len(acute)} acute ones were sent while {BACKLOG} others and {BACK} the other way were worked off; left then: {left}")
    assert min(left.values()) > 0, "there was no backlog any more"
    assert len(acute) >= IDLE
    until(lambda: applying.look(arrived(network)) == 1 + BACKLOG + len(acute), "the whole backlog to arrive", DRAIN_S)
    until(lambda: arrived(network, "police") == 1 + BACK, "the other one to arrive", DRAIN_S)
    applying.take()
    looked_at = (("the desk's worker while it sends", sending, FLAT_SENDING), ("both while they receive", applying, FLAT))
    for words, samples, flat in looked_at:
        print(f"{words}: {', '.join(f'{one:.0f}' for one in samples.mb)} MB, each tenth of the way and at its end")
        assert max(samples.mb) < samples.mb[0] * flat
    until(lambda: in_step([desk, clinic]), "everything to be signed for", DRAIN_S)
    return acute


def alone(network: ProcessNetwork, desk: Process, case: str) -> str:
    """An acute one behind which nothing comes before it has arrived."""
    before, referral = arrived(network), issue(desk, case)
    until(lambda: arrived(network) > before, "an acute one to arrive")
    return referral


def check_in_time(idle: tuple[list[float], list[float]], behind: tuple[list[float], list[float]]) -> None:
    """The backlog adds no more than its bound, to either way."""
    for words, quiet, loaded, added_s_max in zip(
        ("from commit to commit", "until it was signed for"), idle, behind, (ADDED_S_MAX, SIGNED_ADDED_S_MAX), strict=True
    ):
        print(told(f"{words}, idle", quiet))
        print(told(f"{words}, past the backlog", loaded))
        assert p95(loaded) <= p95(quiet) + added_s_max
