"""What of a story may be looked for afterwards: words and times that nobody else says; and all that an agency's keys open."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from agencies import Desk, TestAgency, World, consent, open_case, refer
from sqlalchemy import inspect, select
from sqlmodel import SQLModel

from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ConsentItem
from shared.kit.db import Database

# Of no programme: nobody else in a test speaks it. As long as a tag may be: three letters stand somewhere in a signature by chance.
LANGUAGE = "xqz-QZ"
HEARING = "2028-07-13"
EXPECTED = "2031-05-04T03:02:01.987654Z"


class Story:
    """One survivor's case at a desk, told to a clinic and to an office, with canaries in whatever was told."""

    def __init__(self, desk: Desk, case: str, agreed: dict[str, Any], sent: dict[str, str]) -> None:
        self.desk, self.case, self.agreed, self.sent = desk, case, agreed, sent
        self.canaries: dict[str, set[str]] = {}

    async def take_back(self, recipient: str) -> None:
        """She takes back what she agreed to for one of them."""
        await self.desk.take_back(self.case, self.agreed[recipient])

    async def erasure(self, recipient: str) -> Any:
        """What the API says of that consent now."""
        items = (await self.desk.get(f"/cases/{self.case}/consents"))["items"]
        (view,) = [item for item in items if item["id"] == self.agreed[recipient]["id"]]
        return view["erasure"]


async def tell(world: World, name: str = "teller", **agreeing: Any) -> Story:
    """Tells one to everybody who is in the world; nothing has been delivered yet. `agreeing`: more of how she agreed."""
    desk = await world["police"].sign_in(name)
    case, incident = await open_case(desk, needs=False)
    items = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
    agreed = {to: await consent(desk, case, to, *items, **agreeing) for to in ("health", "social_welfare")}
    person = {"age_band": "10-14", "sex": "female", "language": LANGUAGE}
    sent = {}
    for to in agreed:
        sent[to] = (await refer(desk, case, incident, to, urgency="routine", needs=person))["id"]
        way = {"mode": "car", "escort": "officer", "expected_at": EXPECTED}
        await desk.post(f"/referrals/{sent[to]}/set-out", way)
    await desk.post(f"/cases/{case}/progress", {"code": "hearing_date", "on_date": HEARING})
    story = Story(desk, case, agreed, sent)
    async with world["police"].database.read() as tx:
        for row in (await tx.session.execute(select(Referral))).scalars():
            if str(row.id) in sent.values():
                assert row.said is not None
                windows = [window["until"] for window in row.said.get("windows", [])]
                story.canaries[row.recipient] = {row.said["pairwise_code"], LANGUAGE, EXPECTED[:-1], *windows}
    story.canaries["social_welfare"] |= {HEARING}
    return story


async def everything(database: Database, which: Callable[[str], bool] = lambda _table: True) -> str:
    """Whatever anybody reads here who has the database and every key that is left: each column of each table, opened; or of some
    tables, by their names."""
    found = []
    async with database.read() as tx:
        tables = await (await tx.session.connection()).run_sync(lambda connection: inspect(connection).get_table_names())
        mappers = [(mapper, str(mapper.persist_selectable)) for mapper in SQLModel._sa_registry.mappers]
        for mapper in [mapper for mapper, name in mappers if name in tables and which(name)]:
            rows = (await tx.session.execute(select(mapper.class_))).scalars()
            found += [repr({column.key: _plain(getattr(row, column.key)) for column in mapper.column_attrs}) for row in rows]
    return "\n".join(found)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value


async def left(agency: TestAgency, canaries: Iterable[str]) -> set[str]:
    """Those of the canaries that are still to be read at an agency."""
    return among(canaries, await everything(agency.database))


def among(canaries: Iterable[str], held: str) -> set[str]:
    """Those of the canaries that stand in what is held somewhere."""
    # A time is written in three ways: as the wire has it, as pydantic has it, and as a column opens.
    return {one for one in canaries if one in held or one.replace("T", " ") in held}
