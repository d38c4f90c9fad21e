"""A worker that relays is killed: the other, which was there already, sends what the dead one had in hand, and nothing doubles."""

import asyncio
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import KINDS, ProcessNetwork, everyone_is_ready, until
from servers import Kafka

from shared.kit.local.postgres_databases import PostgresDatabases

# Where a relay leaves most behind: numbered and not sent, and sent and not marked.
DEATHS = ["relay.after_number_commit", "relay.before_send", "relay.after_send"]
pytestmark = pytest.mark.timeout(600)  # half a minute when quiet


@pytest.mark.long
def test_the_other_worker_sends_what_a_dead_relay_had_in_hand(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: postgres.fresh_database() for kind in KINDS}, partitions=4)
    asyncio.run(network.set_up())
    roles = (("police", "web"), ("health", "serve"), ("police", "worker"), ("police", "worker"))
    with network.started(*roles) as (desk, clinic, survivor, victim):
        everyone_is_ready([desk, clinic, survivor, victim])
        case, sent = open_case(desk), []
        for death in DEATHS:
            victim.kill()
            victim.points = iter([death])
            victim.start()
            everyone_is_ready([victim])

            def one_more_until_it_dies() -> bool:
                if not victim.is_dead:
                    sent.append(issue(desk, case))
                return victim.is_dead

            until(one_more_until_it_dies, f"the relay to die at {death}")
            until(lambda: in_step([desk, clinic]), "the other to send everything")
            assert not survivor.is_dead
        assert [network.facts_of("health", referral) for referral in sent] == [["issued"]] * len(sent)
    network.check_streams(("police", "health"))
