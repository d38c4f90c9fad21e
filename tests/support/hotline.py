"""A police agency with a hotline, for tests: a room, four desks in three districts, and who is on duty there."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from agencies import Desk, TestAgency, World

from services.police.hotline.domain import routing_rule
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Duty
from shared.casework.directory.network import Network, parse_network
from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id
from shared.programmes.profile import load_programme

ROOM, HUYE, HUYE_2, NYANZA, GASABO = "hotline_room", "huye_desk", "huye_desk_2", "nyanza_desk", "gasabo_desk"
POSTS = ["desk_officer", "station_commander"]
CALL: dict[str, Any] = {"channel": "voice", "what": "report", "district": "huye", "need": "protection", "language": "rw"}
LATE = timedelta(minutes=15, seconds=1)


def hotline_network(more: Mapping[str, Any], stations: Mapping[str, str]) -> Network:
    """The network: of the demo's shape, with desks that the programme's rule knows by their kind. `more` of a desk; and stations,
    each with its district."""
    ways = {HUYE: {"km": 32, "minutes": 45}, HUYE_2: {"km": 30, "minutes": 42}}
    desks: dict[str, Any] = {
        id_: {"name": name, "district": district, "kind": "gender_desk", "posts": POSTS, "duty_number": number, "journeys": way}
        for id_, name, district, number, way in (
            (HUYE, "Huye, gender desk", "huye", "000 200 001", {}), (HUYE_2, "Tumba, gender desk", "huye", "000 200 002", {}),
            (NYANZA, "Nyanza, gender desk", "nyanza", "000 200 003", ways),
            (GASABO, "Remera, gender desk", "gasabo", None, {}),
        )
    }  # fmt: skip
    for id_, fields in more.items():
        desks[id_] |= fields
    desks |= {
        id_: {"name": id_, "district": district, "kind": "police_station", "posts": POSTS} for id_, district in stations.items()
    }
    room = {"name": "Room of the line", "district": "gasabo", "kind": "hotline_room", "posts": ["call_taker", "hotline_supervisor"]}
    health = {"isange": {"name": "Isange", "district": "huye", "posts": ["duty_nurse"], "services": ["acute_care"]}}
    content = {
        "purpose": "test", "programme": "rw-gender-desk", "pairs": [["police", "health"]],
        "agencies": {
            "police": {"kind": "police", "name": "Police", "facilities": {ROOM: room, **desks}},
            "health": {"kind": "health", "name": "Isange", "facilities": health},
        },
    }  # fmt: skip
    return parse_network(content, "the hotline's")


def with_hotline(
    world: World, more: Mapping[str, Any] = MappingProxyType({}), stations: Mapping[str, str] = MappingProxyType({})
) -> TestAgency:
    """The world's police run the hotline from now on, in the same database."""
    before = world["police"]
    here = replace(before.here, network=hotline_network(more, stations), programme=load_programme("rw-gender-desk"))
    world.agencies["police"] = TestAgency(here, before.parts, before.database)
    return world["police"]


async def on_duty(agency: TestAgency, facility: str, hours: float = 8) -> Desk:
    """An officer who holds a desk's lowest post from now on."""
    name = f"officer-{facility}".replace("_", "-")
    desk = await agency.sign_in(name, Role.OFFICER, facility)
    await holds(agency, name, facility, hours)
    return desk


async def holds(agency: TestAgency, name: str, facility: str, hours: float = 8) -> None:
    """Puts an account on the roster of a facility's lowest post."""
    async with agency.database.write() as tx:
        account, now = await find_account(tx, name), tx.clock.now()
        post = agency.here.facility(facility).posts[0]
        tx.session.add(Duty(id=new_id(), facility=facility, post=post, account_id=account.id, from_at=now,
                            until_at=now + timedelta(hours=hours), entered_by=account.id))  # fmt: skip


async def room(agency: TestAgency, role: Role = Role.OFFICER) -> Desk:
    """Somebody in the hotline's room."""
    return await agency.sign_in(f"room-{role}", role, ROOM)


def answered_at_every_unit(world: World) -> TestAgency:
    """The world's police as they are, with a line of their own that their units answer and that routes to these: for tests of what
    holds for every page of an agency."""
    before, rwanda = world["police"], load_programme("rw-gender-desk")
    found = routing_rule(rwanda)
    assert found is not None
    assert rwanda.hotline is not None
    unit = "vsu_station"
    zambia = before.here.programme
    station = zambia.facilities[unit].model_copy(update={"assets": ("interview_room",)})
    parts: dict[str, Any] = {
        "hotline": rwanda.hotline.model_copy(update={"at": (unit,)}),
        "rules": {**zambia.rules, "line": found[1].model_copy(update={"to": (unit,)})},
        "assets": {**zambia.assets, "interview_room": rwanda.assets["interview_room"]},
        "facilities": {**zambia.facilities, unit: station},
    }
    here = replace(before.here, programme=zambia.model_copy(update=parts))
    world.agencies["police"] = TestAgency(here, before.parts, before.database)
    return world["police"]
