"""Bangladesh with everybody that its profile has, over one real Kafka: the centre, the thanas, hospitals and the ministry, all ten
partners, and the Ministry of Home Affairs, which watches."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from agencies import consent
from canaries import everything
from centre import CENTRE, came
from kafka_line import until
from programme_town import ProgrammeTown, programme_town

from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900), pytest.mark.long]

PARTNERS = tuple(f"ngo_{number}" for number in range(1, 11))
FIGURES_ARE_TOLD = datetime(2026, 4, 25, 8, tzinfo=UTC)  # of the first quarter: two weeks after its end, and some days


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    async with programme_town("bd-vsc", postgres, tmp_path_factory.mktemp("all-ten")) as made:
        yield made


async def test_ten_partners_each_serve_one_and_the_ministry_that_watches_hears_of_no_case(town: ProgrammeTown) -> None:
    assert set(PARTNERS) | {"home_ministry"} < set(town.agencies)
    agreements = load_programme("bd-vsc").agreements
    desk = await town.at_work("police", CENTRE)
    sent, cases = {}, {}
    for ngo in PARTNERS:
        cases[ngo] = await came(desk)
        await consent(desk, cases[ngo], ngo, "needs", "fb", language="bn")
        body = {"case_id": cases[ngo], "to_agency": ngo, "to_facility": f"{ngo}_office_1", "urgency": "urgent"}
        sent[ngo] = await desk.post("/referrals", {**body, "services": [str(agreements[ngo].services[0])]})
    for ngo in PARTNERS:
        worker = await town.at_work(ngo, f"{ngo}_office_1")
        await town.stands(worker, sent[ngo], "issued")
        for act, more in (("accept", {}), ("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
            await worker.post(f"/referrals/{sent[ngo]['id']}/{act}", more)
    for ngo in PARTNERS:
        assert (await town.stands(desk, sent[ngo], "closed"))["outcome_code"] == "served"
    for ngo in PARTNERS:  # each has its one, and no id of anybody else's
        (one,) = (await (await town.whole(ngo)).get("/referrals?limit=200"))["items"]
        assert one["id"] == sent[ngo]["id"]
        held = await everything(town[ngo].database)
        others = [of["id"] for other, of in sent.items() if other != ngo] + list(cases.values())
        assert one["id"] in held or one["id"].replace("-", "") in held
        assert [id_ for id_ in others if id_ in held or id_.replace("-", "") in held] == [], ngo
    town.clock.advance(FIGURES_ARE_TOLD - town.clock.now())
    await town.watch()
    head = await town.whole("home_ministry")

    async def all_have_told() -> bool:
        rows = (await head.get("/national?period=2026-Q1"))["items"]
        return {"police", *PARTNERS} <= {one["agency"] for one in rows if one["cubes"]}

    await until(all_have_told)  # the quarter of all who worked
    held = await everything(town["home_ministry"].database)
    ids = [*cases.values(), *(one["id"] for one in sent.values())]
    assert [id_ for id_ in ids if id_ in held or id_.replace("-", "") in held] == []
