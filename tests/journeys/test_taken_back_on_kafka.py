"""On real Kafka: what lay on the broker when consent was taken back is not opened into a record, and the receipt comes back."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
import yaml
from agencies import SECRET, TestAgency, database_at
from canaries import EXPECTED, LANGUAGE, among, everything
from kafka_line import line, records, until
from keys import holder_of, seal_of
from schema import sqlite_at_head
from servers import Kafka
from sqlalchemy import select
from sqlmodel import col

import services.demo
from services.kinds import parts_of
from shared.casework.consents.tables import Erasure
from shared.casework.directory.network import parse_network
from shared.casework.here import Here
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import AgencyKind, ConsentItem
from shared.contracts.wire.envelope import Unopenable
from shared.contracts.wire.topics import Direction
from shared.exchange.inbox import Heard
from shared.exchange.keyring import X25519
from shared.exchange.letters import Letters
from shared.exchange.tables import InboxRow
from shared.kit.clock import ManualClock
from shared.kit.errors import DatabaseAway
from shared.programmes.profile import load_programme


class OnKafka(ExchangeHooks):
    """An agency as one end of a line of the exchange's own tests."""

    def __init__(self, at: TestAgency) -> None:
        super().__init__(at.here)
        self.at, self.agency, self.database, self.inbox, self.seal = at, at.here.agency, at.database, at.inbox, at.seal

    def letters(self, *_peers: str) -> Letters:
        return self.at.letters


@pytest.fixture
async def ends(unique: str, tmp_path: Path) -> Any:
    """A desk and a clinic whose names nobody else uses."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    named = {kind: f"{kind}_{unique}" for kind in ("police", "health")}
    content["agencies"] = {name: content["agencies"][kind] for kind, name in named.items()}
    content["pairs"] = [list(named.values())]
    net, clock, programme = parse_network(content | {"purpose": "test"}, "this test's"), ManualClock(), load_programme("zm-vsu-ec")
    made = []
    for kind, name in named.items():
        url = await asyncio.to_thread(sqlite_at_head, tmp_path / f"{kind}.db", kind)
        made.append(OnKafka(TestAgency(Here(name, net, programme, SECRET), parts_of(AgencyKind(kind)), database_at(url, clock))))
    yield made
    for end in made:
        await end.at.close()


async def told(desk: Any, case: str, health: str) -> str:
    """A request with canaries in it, and how she travels."""
    needs = {"age_band": "10-14", "sex": "female", "language": LANGUAGE}
    asked = {"case_id": case, "to_agency": health, "to_facility": "ndola_clinic", "services": ["follow_up_care"],
             "urgency": "routine", "needs": needs}  # fmt: skip
    sent = (await desk.post("/referrals", asked))["id"]
    await desk.post(f"/referrals/{sent}/set-out", {"mode": "car", "escort": "officer", "expected_at": EXPECTED})
    return str(sent)


def opened(end: OnKafka, sender: str, found: Sequence[bytes]) -> bytes:
    """What an agency reads of these records, with the keys that it has now."""
    seal, contents = seal_of(end.agency), list[bytes]()
    for record in found:
        with contextlib.suppress(Unopenable):
            contents.append(seal.open(record, sender).content)
    return b"".join(contents)


def lose_former_keys(end: OnKafka) -> None:
    """What the end of the key window does: it has a new key, and those to which these records were sealed are gone."""
    holder = holder_of(end.agency)
    holder.new_seal(X25519)
    del holder.opening[:-1]


async def states(end: OnKafka) -> dict[str, int]:
    async with end.database.read() as tx:
        found: dict[str, int] = {}
        for (state,) in await tx.session.execute(select(col(InboxRow.state)).where(col(InboxRow.type).like("referral.%"))):
            found[state] = found.get(state, 0) + 1
        return found


async def outcome(end: OnKafka) -> str | None:
    async with end.database.read() as tx:
        return (await tx.session.execute(select(col(Erasure.outcome)))).scalar_one_or_none()


async def test_what_lies_on_the_broker_when_it_is_taken_back_opens_no_record(kafka: Kafka, ends: list[OnKafka]) -> None:
    """What came before is erased. What comes after is known to have come, and is never opened."""
    police, health = ends
    desk = await police.at.sign_in("desk")
    case = (await desk.post("/cases"))["id"]
    items = [str(item) for item in ConsentItem]
    body = {"recipient": health.agency, "purpose": "care", "items": items, "how": "spoken", "language": "bem"}
    agreed = await desk.post(f"/cases/{case}/consents", body)
    there, back = Direction(police.agency, health.agency), Direction(health.agency, police.agency)
    async with line(kafka, cast(Any, police), cast(Any, health)):
        sent = await told(desk, case, health.agency)
        await until(lambda: _is(states(health), {"applied": 2}))
    assert LANGUAGE in await everything(health.database)

    health.inbox = _HearsExpress(health.inbox)  # type: ignore[assignment]  # the topic stands still, and the broker keeps it
    async with line(kafka, cast(Any, police), cast(Any, health)):
        more = {"to_agency": health.agency, "to_facility": "ndola_clinic", "services": ["mental_health_care"]}
        needs = {"age_band": "10-14", "sex": "female", "language": LANGUAGE}
        late = (await desk.post("/referrals", {"case_id": case, "urgency": "routine", "needs": needs, **more}))["id"]
        await until(lambda: _grew(kafka, there.topic, 4))
    await desk.take_back(case, agreed)
    async with line(kafka, cast(Any, police), cast(Any, health)), line(kafka, cast(Any, health), cast(Any, police)):
        await until(lambda: _is(outcome(police), "destroyed"))
    assert await states(health) == {"erased": 2}  # it has signed that all is gone, and the third has not come
    health.inbox = health.at.inbox
    async with line(kafka, cast(Any, police), cast(Any, health)):
        await until(lambda: _is(states(health), {"erased": 2, "tombstoned": 1}))
        await health.at.hear(police.agency, (await records(kafka, there.topic))[-1:])  # and once more, long after
    assert await states(health) == {"erased": 2, "tombstoned": 1}
    assert among({LANGUAGE, EXPECTED[:-1]}, await everything(health.database)) == set()
    async with health.database.read() as tx:
        heard = {row.subject: row for row in (await tx.session.execute(select(InboxRow))).scalars()}
        assert (heard[UUID(late)].state, heard[UUID(late)].inner) == ("tombstoned", None)
        assert [(str(row.id), row.said) for row in (await tx.session.execute(select(Referral))).scalars()] == [(sent, None)]
    came, went = await records(kafka, there.topic), await records(kafka, back.topic)
    assert LANGUAGE.encode() not in b"".join([*came, *went])
    read = opened(health, police.agency, came)
    assert (read.count(LANGUAGE.encode()), EXPECTED[:-1].encode() in read) == (2, True)  # while the keys of that time are there
    assert opened(police, health.agency, went)
    for end in ends:
        lose_former_keys(end)
    assert (opened(health, police.agency, came), opened(police, health.agency, went)) == (b"", b"")


class _HearsExpress:
    """The inbox of an agency whose database is away as often as something comes by the topic that is not express, and takes what is
    express all the same: one fetch may bring both."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox

    async def receive(self, events: Sequence[Heard]) -> Any:
        outcome = await self._inbox.receive([one for one in events if one.is_express])
        if not all(one.is_express for one in events):
            raise DatabaseAway("The database is away.")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)


async def _is(question: Any, answer: Any) -> bool:
    return bool(await question == answer)


async def _grew(kafka: Kafka, topic: str, count: int) -> bool:
    return len(await records(kafka, topic)) >= count
