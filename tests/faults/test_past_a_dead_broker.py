"""The only broker is dead, and two agencies speak to each other alone, with certificates: what one issues the other has, and signs
for. When the broker is back nothing comes twice, and nobody says that it kept anything back."""

import asyncio
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from schema import desk_and_clinic
from servers import KafkaNodeFactory, kafka_of

from shared.exchange.receipts import STILL
from shared.exchange.reconcile import BYPASSED_AFTER, HURRY_S
from shared.kit.local.postgres_databases import PostgresDatabases

# A worker that begins leaves the broker STILL to bring what it has, and looks each HURRY_S; the rest is a busy machine's.
FETCHED_S_MAX = STILL.total_seconds() + HURRY_S + 45
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # two minutes, of which one is waiting for an alarm that is not to come


def test_what_is_issued_while_the_broker_is_dead_comes_past_it_and_only_once(
    kafka_node_factory: KafkaNodeFactory, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    network.lay_direct_lines()
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case = open_case(desk)
        before = issue(desk, case)
        until(lambda: in_step([desk, clinic]), "the first to be signed for")
        assert clinic.stop() == 0
        node.kill()
        fetched = issue(desk, case)
        clinic.start()
        until(lambda: network.facts_of("health", fetched) == ["issued"], "the clinic to fetch it", FETCHED_S_MAX)
        until(lambda: in_step([desk]), "the desk to have it signed for", FETCHED_S_MAX)
        soon = issue(desk, case)
        until(lambda: network.facts_of("health", soon) == ["issued"], "the next one, though the pair was in step", FETCHED_S_MAX)
        by_hand = issue(desk, case)
        unnumbered = f"SELECT 1 FROM exchange_outbox WHERE recipient = '{clinic.agency}' AND seq IS NULL"
        until(lambda: not network.rows("police", unnumbered), "it to have its number")
        done = network.refnet("health", "reconcile", clinic.agency, "--with", desk.agency)
        assert done.returncode == 0, done.stderr
        assert f"{desk.agency}: in step; " in done.stdout
        assert network.facts_of("health", by_hand) == ["issued"]
        node.start()
        everyone_is_ready([desk, clinic])
        after = issue(desk, case)
        until(lambda: in_step([desk, clinic]), "all to be signed for")
        last_at = network.rows("health", "SELECT max(received_at) FROM exchange_slots")[0][0]
        patience_s = 2 * BYPASSED_AFTER.total_seconds()
        until(lambda: network.rows("health", "SELECT now()")[0][0] > last_at + BYPASSED_AFTER, "the alarm's minute", patience_s)
        assert network.refnet("health", "reconcile", clinic.agency, "--with", desk.agency).returncode == 0
        for referral in (before, fetched, soon, by_hand, after):
            assert network.facts_of("health", referral) == ["issued"]
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(5,)]
        assert network.rows("health", "SELECT 1 FROM casework_alarms WHERE kind = 'broker_silent'") == []
    network.check_streams(("police", "health"))
