"""A world with stations that are usually offline: police agencies on SQLite, with the demo's police as their mother station."""

import asyncio
from pathlib import Path
from typing import Any

import yaml
from agencies import TestAgency, World
from schema import sqlite_at_head

import services.demo
from shared.casework.directory.network import Network, parse_network
from shared.exchange.carry import Carrier, Taken
from shared.exchange.letters import Letters

STATION, TWIN = "police_north", "police_south"


def network_with_stations(*stations: str, purpose: str = "test") -> Network:
    """The demo's network and stations, each paired with the police, the clinic and the office."""
    return parse_network(content_with_stations(*stations, purpose=purpose), "the test's")


def content_with_stations(*stations: str, purpose: str = "test") -> dict[str, Any]:
    """The same as a network file has it."""
    content: dict[str, Any] = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content["purpose"] = purpose
    for station in stations:
        place = {"name": f"{station}, mobile", "district": "ndola", "services": ["report_to_police", "protection"],
                 "posts": ["duty_officer", "vsu_inspector"]}  # fmt: skip
        content["agencies"][station] = {
            "kind": "police",
            "name": f"Station {station}",
            "mother": "police",
            "facilities": {
                station.replace("police", "post"): place,
                station.replace("police", "post") + "_2": {**place, "name": "2"},
            },
        }
        content["pairs"] += [[station, peer] for peer in ("police", "health", "social_welfare")]
    return content


async def world_with_stations(folder: Path, *stations: str, on: dict[str, str] | None = None) -> World:
    """Everybody on SQLite in one process, but those whose database is named."""
    folder.mkdir(exist_ok=True)
    net = network_with_stations(*stations)
    urls = {}
    for agency in ("police", "health", "social_welfare", *stations):
        if on is not None and agency in on:
            urls[agency] = on[agency]
            continue
        urls[agency] = await asyncio.to_thread(sqlite_at_head, folder / f"{agency}.db", net.agencies[agency].kind)
    return await World.make(urls, net=net)


class Sticks:
    """What people carry between the agencies of a world. Each export and each import is a process of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder, self.count = world, folder, 0

    def carrier(self, agency_id: str) -> Carrier:
        agency: TestAgency = self.world[agency_id]
        letters = Letters(agency.database, agency_id, agency.here.peers, agency.seal, agency.inbox, agency.hooks)
        kept = self.folder / "carried" / agency_id
        return Carrier(agency.database, agency_id, agency.here.peers, agency.seal, agency.inbox, letters, None, kept)

    async def write(self, agency_id: str, *peers: str) -> Path:
        self.count += 1
        file = self.folder / f"stick-{self.count}"
        await self.carrier(agency_id).export(file, peers or self.world[agency_id].here.peers)
        return file

    async def read(self, agency_id: str, file: Path) -> Taken:
        return await self.carrier(agency_id).take(file)

    async def go(self, sender: str, *recipients: str) -> None:
        """One stick to each, with everything that is for it."""
        for recipient in recipients:
            await self.read(recipient, await self.write(sender, recipient))

    async def round(self, station: str, *peers: str) -> None:
        """There and back."""
        await self.go(station, *peers)
        for peer in peers:
            await self.go(peer, station)
