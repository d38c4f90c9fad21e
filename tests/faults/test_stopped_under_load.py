"""SIGTERM under load: the batch in flight is finished and committed, what is in hand is sent, nothing is lost or doubled."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from desks import in_step, issue, open_case
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from records import committed, ends, events_below
from schema import postgres_at_head
from servers import Kafka

from shared.kit.local.postgres_databases import PostgresDatabases

STOPS = 1  # of either end, each under load
REFERRALS_BETWEEN = 4  # that arrive between one stop and the next
DESKS = 4
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # half a minute when quiet


def ids(rows: list[tuple[Any, ...]]) -> set[UUID]:
    return {UUID(str(row[0])) for row in rows}


def check_what_was_committed_was_applied(network: ProcessNetwork) -> None:
    """After the only worker of the clinic has ended: below the committed offsets lies exactly what its database holds."""
    sender, recipient = network.names["police"], network.names["health"]

    async def below() -> list[UUID]:
        found: list[UUID] = []
        lanes = await ends(network.kafka.operator, sender, recipient)
        for group in ("exchange", "express"):
            offsets = {p: at for p, at in (await committed(network.kafka.operator, f"{recipient}.{group}")).items() if p in lanes}
            found += await events_below(network.kafka.operator, offsets, network.seal)
        return found

    held = ids(network.rows("health", f"SELECT event_id FROM exchange_slots WHERE sender = '{sender}'"))
    assert set(asyncio.run(below())) == held


def check_what_was_sent_was_marked(network: ProcessNetwork) -> None:
    """After the only relay of the desk has ended: it has marked exactly what lies on the broker. (What a clinic that was stopped
    asked for again may lie there twice.)"""
    sender, recipient = network.names["police"], network.names["health"]

    async def lies() -> list[UUID]:
        return await events_below(network.kafka.operator, await ends(network.kafka.operator, sender, recipient), network.seal)

    query = f"SELECT event_id FROM exchange_outbox WHERE recipient = '{recipient}' AND sent_at IS NOT NULL"
    assert set(asyncio.run(lies())) == ids(network.rows("police", query))


def arrived(network: ProcessNetwork) -> set[UUID]:
    return ids(network.rows("health", "SELECT id FROM casework_referrals"))


def stop(process: Process) -> None:
    """Process.stop itself gives up after what a supervisor allows, which is more than a worker promises."""
    assert process.stop() == 0, process.last_words()


def test_a_stop_under_load_leaves_nothing_half_done_at_either_end(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: postgres_at_head(postgres, kind) for kind in KINDS}, partitions=4)
    asyncio.run(network.set_up())
    roles = (("police", "web"), ("health", "web"), ("police", "worker"), ("health", "worker"))
    with network.started(*roles) as everyone:
        desk, clinic, *_ = everyone
        everyone_is_ready(everyone)
        cases = [open_case(desk) for _ in range(DESKS)]
        sent: list[str] = []
        closing = False

        def work(case: str) -> None:
            while not closing:
                sent.append(issue(desk, case))

        def more_arrive() -> None:
            known = len(arrived(network))
            until(lambda: len(arrived(network)) >= known + REFERRALS_BETWEEN, "more referrals to arrive")

        workers: list[tuple[Process, Callable[[ProcessNetwork], None]]] = [
            (everyone[3], check_what_was_committed_was_applied),
            (everyone[2], check_what_was_sent_was_marked),
        ]
        with ThreadPoolExecutor(DESKS) as desks:
            working = [desks.submit(work, case) for case in cases]
            try:
                for _ in range(STOPS):
                    for worker, check in workers:
                        more_arrive()
                        stop(worker)
                        check(network)
                        worker.start()
            finally:
                closing = True
            for done in working:
                done.result()
        until(lambda: {UUID(referral) for referral in sent} <= arrived(network), "every referral to arrive")
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        assert len(arrived(network)) == len(sent)
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued"]
        for process in everyone:
            stop(process)
    network.check_streams(("police", "health"))
