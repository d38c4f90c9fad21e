"""The broker loses everything while referrals are on their way: all arrive, once, and nobody did more than provision it again.

`make broker-wiped` runs the long one and shows what it says.
"""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from desks import issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from schema import postgres_at_head
from servers import KafkaNodeFactory, kafka_of

from shared.exchange.reconcile import PERIOD_S
from shared.kit.local.postgres_databases import PostgresDatabases

SHORT, LONG = 40, 1_000  # referrals on their way when the broker's disk is lost
WHILE_DEAD = 10  # of them are issued after it was killed; all others lie on the disk that is wiped


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("count", "is_read"),
    [(SHORT, False), pytest.param(SHORT, True, marks=pytest.mark.long), pytest.param(LONG, False, marks=pytest.mark.long)],
)
def test_a_wiped_broker_costs_time_and_nothing_else(
    count: int, is_read: bool, kafka_node_factory: KafkaNodeFactory, postgres: PostgresDatabases, tmp_path: Path, unique: str
) -> None:
    node = kafka_node_factory()
    urls = {kind: postgres_at_head(postgres, kind) for kind in ("police", "health", "social_welfare")}
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    asyncio.run(network.set_up())
    to_clinic = f"recipient = '{network.names['health']}'"
    with ExitStack() as at_work:
        (desk,) = at_work.enter_context(network.started(("police", "serve")))
        clinics = at_work.enter_context(network.started(("health", "serve"))) if is_read else []  # a reader that outlives its place
        everyone_is_ready([desk, *clinics])
        sent = [issue(desk, open_case(desk)) for _ in range(count - WHILE_DEAD)]
        if not is_read:
            unsent = f"SELECT 1 FROM exchange_outbox WHERE sent_at IS NULL AND {to_clinic}"
            until(lambda: not network.rows("police", unsent), "everything to lie on the broker")
            assert not network.rows("police", f"SELECT 1 FROM exchange_outbox WHERE delivered_at IS NOT NULL AND {to_clinic}")
            print(f"\n{len(sent)} referrals are issued and lie on the broker: the clinic is not at work. The broker is killed.")
        node.kill()
        sent += [issue(desk, open_case(desk)) for _ in range(WHILE_DEAD)]  # a desk notices nothing
        print(f"{WHILE_DEAD} more are issued while it is dead: a desk notices nothing. Then its disk is wiped.")
        node.wipe()
        node.start()
        asyncio.run(network.provision())
        clinics = clinics or at_work.enter_context(network.started(("health", "serve")))
        back_at = time.monotonic()
        print("It is back, empty, and provisioned; the clinic is at work again.")

        def arrived() -> set[str]:
            return {str(UUID(str(row[0]))) for row in network.rows("health", "SELECT id FROM casework_referrals")}

        until(lambda: arrived() == set(sent), "every referral to arrive within one reconciliation period", deadline_s=PERIOD_S)
        unsigned = f"SELECT 1 FROM exchange_outbox WHERE delivered_at IS NULL AND {to_clinic}"
        left_s = back_at + PERIOD_S - time.monotonic()
        until(lambda: not network.rows("police", unsigned), "every receipt, within that period too", deadline_s=left_s)
        print(f"All {count} are with the clinic and signed for, {time.monotonic() - back_at:.0f} s after that.")
        facts = network.rows("health", "SELECT referral_id, type FROM casework_referral_facts")
        assert sorted((str(UUID(str(one))), kind) for one, kind in facts) == sorted((one, "referral.issued") for one in sent)
        everyone_is_ready([desk, *clinics])
        network.check_streams(("police", "health"))
        print("Each was applied once, and no number is missing.")
