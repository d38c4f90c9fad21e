"""The broker loses everything while referrals are on their way: all arrive, once, and nobody did more than provision it again.

`make broker-wiped` runs the long one and shows what it says.
"""

import asyncio
import time
from pathlib import Path
from uuid import UUID

import pytest
from desks import issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from servers import KafkaNodeFactory, kafka_of

from shared.kit.local.postgres_databases import PostgresDatabases

SHORT, LONG = 40, 1_000  # referrals on their way when the broker's disk is lost
AT_WORK = [("police", "serve"), ("health", "serve")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_a_wiped_broker_costs_time_and_nothing_else(
    count: int, kafka_node_factory: KafkaNodeFactory, postgres: PostgresDatabases, tmp_path: Path, unique: str
) -> None:
    node = kafka_node_factory()
    urls = {kind: postgres.fresh_database() for kind in ("police", "health", "social_welfare")}
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    asyncio.run(network.set_up())
    with network.started(*AT_WORK) as processes:
        desk = processes[0]
        everyone_is_ready(processes)
        sent = [issue(desk, open_case(desk)) for _ in range(count // 2)]
        print(f"\n{len(sent)} referrals are issued, and the broker is killed.")
        node.kill()
        sent += [issue(desk, open_case(desk)) for _ in range(count - len(sent))]  # a desk notices nothing
        print(f"{count - count // 2} more are issued while it is dead: a desk notices nothing. Then its disk is wiped.")
        node.wipe()
        node.start()
        asyncio.run(network.provision())
        back_at = time.monotonic()
        print("It is back, empty, and provisioned.")

        def arrived() -> set[str]:
            return {str(UUID(str(row[0]))) for row in network.rows("health", "SELECT id FROM casework_referrals")}

        until(lambda: arrived() == set(sent), "every referral to arrive", deadline_s=600)
        unsigned = f"SELECT 1 FROM exchange_outbox WHERE delivered_at IS NULL AND recipient = '{network.names['health']}'"
        until(lambda: not network.rows("police", unsigned), "every receipt", deadline_s=300)
        print(f"All {count} are with the clinic and signed for, {time.monotonic() - back_at:.0f} s after the broker was back.")
        network.check_streams(("police", "health"))
        print("Each was applied once, and no number is missing.")
