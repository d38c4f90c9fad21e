"""A slow clinic has a day's backlog before it: what is acute and every receipt overtake it, and memory does not grow with it.

In the long tier: a hundred thousand referrals take some minutes.
"""

import asyncio
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from servers import Kafka

from bench.pipes import connected
from bench.stamps import issue_many
from shared.kit.local.postgres_databases import PostgresDatabases

BACKLOG = 100_000  # referrals, none of them acute
EARLY, LATE = 0.1, 0.8  # of the backlog: between the two acute ones are sent, and memory is compared
OVERTAKES = 0.1  # of the backlog: more than this may not pass while one acute referral is on its way and signed for
FLAT = 1.1  # memory at the end as against the beginning (issue: ± 10 %)
DRAIN_S = 1_500.0  # two minutes when quiet
pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]


async def fill(network: ProcessNetwork) -> None:
    async with connected(network.urls["police"]) as desk:
        await issue_many(desk, BACKLOG, network.settings("police").keystore(network.names["police"]))


def arrived(network: ProcessNetwork) -> int:
    return int(network.rows("health", "SELECT count(*) FROM casework_referrals")[0][0])


def urgent(desk: Process, case: str) -> None:
    """What the backlog is copied from."""
    place = {"to_agency": desk.network.names["health"], "to_facility": "ndola_clinic"}
    desk.post("/referrals", {"case_id": case, "incident_id": None, **place, "services": ["acute_care"], "urgency": "urgent"})


def test_what_is_acute_overtakes_a_backlog_that_memory_does_not_grow_with(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = {kind: postgres.fresh_database() for kind in ("police", "health")} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
    network = ProcessNetwork(tmp_path, kafka, unique, urls, partitions=4)
    asyncio.run(network.set_up())
    with network.started(("police", "web"), ("health", "web"), ("police", "worker"), ("health", "worker")) as everyone:
        desk, clinic, relay, reader = everyone
        everyone_is_ready(everyone)
        case = open_case(desk)
        urgent(desk, case)
        until(lambda: in_step([desk, clinic]), "the first to be signed for")
        for worker in (relay, reader):
            assert worker.stop() == 0, worker.last_words()
        asyncio.run(fill(network))
        relay.start()
        unsent = f"SELECT 1 FROM exchange_outbox WHERE recipient = '{clinic.agency}' AND sent_at IS NULL LIMIT 1"
        until(lambda: not network.rows("police", unsent), "the broker to have the whole backlog", DRAIN_S)
        assert arrived(network) == 1
        reader.start()
        until(lambda: arrived(network) > BACKLOG * EARLY, "the clinic to have begun", DRAIN_S)
        early_mb, passed, acute = relay.rss_mb() + reader.rss_mb(), [], 0
        while (before := arrived(network)) < BACKLOG * LATE:
            sent = issue(desk, case)
            acute += 1
            until(lambda r=sent: bool(desk.get(f"/referrals/{r}")["delivered_at"]), "an acute one to be signed for")  # type: ignore[misc]
            passed.append(arrived(network) - before)
        late_mb = relay.rss_mb() + reader.rss_mb()
        print(f"{acute} acute ones overtook {BACKLOG} others, at most {max(passed)} of which passed meanwhile")
        print(f"{early_mb:.0f} MB of memory in the beginning, {late_mb:.0f} in the end")
        assert max(passed) < BACKLOG * OVERTAKES
        assert late_mb < early_mb * FLAT
        until(lambda: arrived(network) == 1 + BACKLOG + acute, "the whole backlog to arrive", DRAIN_S)
        until(lambda: in_step([desk, clinic]), "everything to be signed for", DRAIN_S)
        network.check_streams(("police", "health"))
