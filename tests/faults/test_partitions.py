"""Lines are cut between broker and agencies, wholly and in one direction: both ends say what is not confirmed, all is made good.

In the long tier: it makes network namespaces, which only root may, and waits until silence shows.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desks import in_step, issue, open_case
from islands import IslandNetwork, Islands, islands
from processes import KINDS, Process, everyone_is_ready, until
from servers import kafka_of

from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import PORTS, KafkaNode
from shared.kit.local.ports import free_ports

CUTS: dict[str, Callable[[Islands], AbstractContextManager[None]]] = {
    "the police are cut off": lambda town: town.cut_off("police"),
    "the clinic is cut off": lambda town: town.cut_off("health"),
    "the broker's answers do not reach the police": lambda town: town.deaf("police"),
    "the police's words do not reach the broker": lambda town: town.dumb("police"),
}
pytestmark = [pytest.mark.long, pytest.mark.timeout(1_200)]  # a minute a cut


def line(process: Process, peer: str) -> dict[str, Any]:
    (found,) = [line for line in process.get("/peers")["items"] if line["agency"] == peer]
    return dict(found)


def is_not_confirmed(process: Process, peer: str) -> bool:
    """Silent for half a minute, and something that is not signed for."""
    found = line(process, peer)
    return found["state"] == "silent" and found["undelivered"] > 0


def told_once(network: IslandNetwork, referral: str, facts: list[str]) -> None:
    for end in ("police", "health"):
        assert network.facts_of(end, referral) == facts


def test_cut_lines_are_shown_at_both_ends_and_made_good_when_they_heal(unique: str, tmp_path: Path) -> None:
    with islands(KINDS) as town:
        port, mutual, controller = free_ports(PORTS)
        listeners = {
            "listeners": f"CLIENT://0.0.0.0:{port},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://{town.town(1)}:{port},MUTUAL://127.0.0.1:{mutual}",
        }
        node = KafkaNode(
            tmp_path / "kafka", cache=default_cache(tmp_path), overrides=listeners, ports=(port, mutual, controller),
            addresses=(town.town(1),),
        )  # fmt: skip
        with node:
            urls = {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS}
            network = IslandNetwork(
                tmp_path, replace(kafka_of(node), bootstrap_servers=f"{town.town(1)}:{port}"), unique, urls, town
            )
            asyncio.run(network.set_up())
            with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
                everyone_is_ready([desk, clinic])
                case = open_case(desk)
                for words, cut in CUTS.items():
                    known = issue(desk, case)
                    until(lambda: in_step([desk, clinic]), "both to be in step")
                    with cut(town):
                        new = issue(desk, case)  # a desk notices nothing
                        clinic.post(f"/referrals/{known}/accept")
                        until(lambda: is_not_confirmed(desk, clinic.agency), f"the desk to say so while {words}")
                        until(lambda: is_not_confirmed(clinic, desk.agency), f"the clinic to say so while {words}")
                        assert desk.get(f"/referrals/{new}")["delivered_at"] is None
                    until(lambda: in_step([desk, clinic]), f"all to be made good after {words}")
                    print(f"{words}: both ends said so, and all was made good")
                    told_once(network, known, ["issued", "accepted"])
                    told_once(network, new, ["issued"])
                with town.dumb("police", towards="health"), town.dumb("health", towards="police"):  # the direct line alone
                    new = issue(desk, case)
                    until(lambda: in_step([desk, clinic]), "the broker to carry it all the same")
                    told_once(network, new, ["issued"])
                network.check_streams(("police", "health"))
