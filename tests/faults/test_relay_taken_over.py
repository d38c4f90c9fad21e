"""A relay is killed: what it had in hand is sent by another, or by itself again, and whatever lies twice counts once.

Security.md section 7 number 5.
"""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from desks import in_step, issue, open_case
from processes import KINDS, ProcessNetwork, everyone_is_ready, until
from records import times_lying
from schema import desk_and_clinic, postgres_at_head
from servers import Kafka

from shared.kit.local.postgres_databases import PostgresDatabases

# Where a relay leaves most behind: numbered and not sent, and sent and not marked.
DEATHS = ["relay.after_number_commit", "relay.before_send", "relay.after_send"]
pytestmark = pytest.mark.timeout(600)  # half a minute when quiet


@pytest.mark.long
def test_the_other_worker_sends_what_a_dead_relay_had_in_hand(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: postgres_at_head(postgres, kind) for kind in KINDS}, partitions=4)
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


def test_what_was_sent_and_not_marked_lies_on_the_broker_twice_and_counts_once(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    police, health = network.names["police"], network.names["health"]
    unmarked = f"SELECT event_id FROM exchange_outbox WHERE recipient = '{health}' AND sent_at IS NULL"
    # The clinic is not at work: its receipt could come before the second sending, and spare it.
    with network.started(("police", "web"), ("police", "worker")) as (desk, relay):
        everyone_is_ready([desk, relay])
        case = open_case(desk, ["health"])
        until(lambda: not network.rows("police", unmarked), "all that was said before to be sent")
        relay.kill()
        sent = [issue(desk, case) for _ in range(3)]
        in_hand = {UUID(str(row[0])) for row in network.rows("police", unmarked)}
        relay.points = iter(["relay.after_send"])
        relay.start()
        until(lambda: relay.is_dead, "the relay to die between sending and marking")
        once = asyncio.run(times_lying(kafka.operator, police, health, network.seal))
        assert {event: once[event] for event in in_hand} == dict.fromkeys(in_hand, 1), "it died before it had sent all"
        relay.start()
        until(lambda: not network.rows("police", unmarked), "what was not marked to be sent again")
        twice = asyncio.run(times_lying(kafka.operator, police, health, network.seal))
        print(f"{len(in_hand)} events were sent and not marked; how often each lies on the broker: {[twice[e] for e in in_hand]}")
        assert {event: twice[event] for event in in_hand} == dict.fromkeys(in_hand, 2)
        with network.started(("health", "serve")) as (clinic,):
            until(lambda: in_step([desk, clinic]), "everything to be signed for")
            for referral in sent:
                assert network.facts_of("health", referral) == ["issued"]
            assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(sent),)]
            read_twice = (
                f"SELECT event_id, count(*) FROM exchange_slots WHERE sender = '{police}' GROUP BY event_id HAVING count(*) > 1"
            )
            assert network.rows("health", read_twice) == []
    network.check_streams(("police", "health"))
