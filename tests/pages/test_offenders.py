"""Pages of the register of offenders, without JavaScript: apart from cases in words and in links."""

from agencies import World, open_case
from shift import officer

STATION = "ndola_central_vsu"


async def test_the_register_from_entering_somebody_to_what_was_done_next(world: World) -> None:
    visitor = await officer(world, facility=STATION)
    page = await visitor.open("/offenders")
    assert "Apart from every case" in page.words
    page = await visitor.send(page.form("/offenders"), who="  ", what="warned", on="2026-01-05")
    assert (page.status, "Type who it is" in page.words) == (422, True)
    page = await visitor.send(page.form("/offenders"), who="Synthetic Mwamba", what="warned", on="2026-01-09")
    assert (page.status, "none that is still to come" in page.words) == (422, True)
    page = await visitor.send(page.form("/offenders"), who="Synthetic Mwamba", what="warned", on="2026-01-05")
    assert page.path.startswith("/offenders/")
    assert "Synthetic Mwamba" in page.words
    page = await visitor.send(page.form(page.path), what="counselled", on="2026-01-05")
    assert "Counselled" in page.words
    assert not [link for link in page.links if link.startswith("/cases/")]
    page = await visitor.open("/offenders")
    assert "Synthetic Mwamba" not in page.words


async def test_no_page_of_a_case_leads_to_somebody_of_it(world: World) -> None:
    desk = await world["police"].sign_in("desk", facility=STATION)
    case_id, _incident = await open_case(desk)
    made = await desk.post("/offenders", {"who": "Synthetic Mwamba", "what": "warned", "on": "2026-01-05"})
    page = await (await officer(world, facility=STATION)).open(f"/cases/{case_id}")
    assert made["id"] not in page.words + " ".join(page.links)
