"""The only broker is killed in the middle of work, over and over: each time things move again, and nothing is lost or doubled."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from servers import KafkaNodeFactory, kafka_of

from shared.kit.local.postgres_databases import PostgresDatabases

DEATHS = 100
# Seven seconds a death; the short tier kills one broker of three, and the only one while desks work.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]


def test_a_broker_that_is_killed_while_it_is_sent_to_costs_time_and_nothing_else(
    kafka_node_factory: KafkaNodeFactory, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    urls = {kind: postgres.fresh_database() for kind in ("police", "health")} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case, sent, slowest_s = open_case(desk), [], 0.0
        for _ in range(DEATHS):
            dying = threading.Thread(target=node.kill)
            sent.append(issue(desk, case))
            dying.start()
            while dying.is_alive():
                sent.append(issue(desk, case))  # on its way while the broker dies
            dying.join()
            sent.append(issue(desk, case))
            node.start()
            back_at = time.monotonic()
            until(lambda: in_step([desk, clinic]), "everything to be signed for")
            slowest_s = max(slowest_s, time.monotonic() - back_at)
        print(f"after {DEATHS} deaths; the slowest took {slowest_s:.1f} s from the broker's return until all was signed for")
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(sent),)]
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued"]
        network.check_streams(("police", "health"))
