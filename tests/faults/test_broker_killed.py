"""The only broker is killed in the middle of work, over and over: each time things move again in time, nothing is lost or doubled.

Security.md section 7 number 1.
"""

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from records import times_lying
from schema import desk_and_clinic
from servers import KafkaNodeFactory, kafka_of

from shared.kit.local.postgres_databases import PostgresDatabases

DEATHS = 100
# From when the broker answers again until all is signed for, after each death. It is no measure of speed but what is promised: the
# broker's own start is not in it, and healing takes a few tries, seconds apart, which a busy machine does not make thirty of.
HEAL_S_MAX = 30.0
# Seven seconds a death; the short tier kills one broker of three, and the only one while desks work.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]


def test_a_broker_that_is_killed_while_it_is_sent_to_costs_time_and_nothing_else(
    kafka_node_factory: KafkaNodeFactory, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case, sent = open_case(desk), list[str]()
        healed_s: list[float] = []
        for death in range(1, DEATHS + 1):
            dying = threading.Thread(target=node.kill)
            sent.append(issue(desk, case))
            dying.start()
            while dying.is_alive():
                sent.append(issue(desk, case))  # on its way while the broker dies
            dying.join()
            sent.append(issue(desk, case))
            node.start()
            back_at = time.monotonic()
            until(lambda: in_step([desk, clinic]), f"everything to be signed for after death {death}", HEAL_S_MAX)
            healed_s.append(time.monotonic() - back_at)
        lying = asyncio.run(times_lying(network.kafka.operator, network.names["police"], network.names["health"], network.seal))
        slowest_s, mean_s = max(healed_s), sum(healed_s) / DEATHS
        print(f"after {DEATHS} deaths all was signed for within {slowest_s:.1f} s of each return, {mean_s:.1f} s on average")
        print(f"how often an event lies on the broker: {dict(sorted(Counter(lying.values()).items()))}")
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(sent),)]
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued"]
        network.check_streams(("police", "health"))
