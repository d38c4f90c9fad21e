"""The pages that a survivor uses: what help there is, and a way out that leads past them and does not shut them for good."""

from agencies import World
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.survivors.pages import LEFT_S
from shared.contracts.casework.codes import Role

HELP = "Help is there, day and night"


async def test_the_way_out_is_a_fixed_name_and_back_leads_to_the_calendar(world: World) -> None:
    visitor = Visitor(world["police"].app)
    page = await visitor.open("/info")
    assert HELP in page.words
    assert "/exit" in page.links
    answer = await visitor.client.get("/exit", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/calendar")
    assert "storage" in answer.headers["clear-site-data"]
    cookie = answer.headers["set-cookie"].lower()
    assert f"max-age={LEFT_S}" in cookie
    assert "httponly" in cookie
    assert (await visitor.open("/info")).path == "/calendar"
    assert (await visitor.open("/info?language=fr")).path == "/calendar"


async def test_who_opens_it_by_a_link_reads_it_again_and_the_link_stands_in_no_history(world: World) -> None:
    police, visitor = world["police"], Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(police, "officer-1", Role.OFFICER), "officer-1")
    await visitor.open("/exit")
    page = await visitor.open("/cases/new")
    page = await visitor.send(
        page.form("/cases/new"), hurt_now="no", age_band="18-24", sex="female", at_least=1, at_most=3, language="bem",
        came_with="nobody",
    )  # fmt: skip
    link = next(link for link in page.links if link.startswith("/info"))
    answer = await visitor.client.get(link, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/info")
    assert HELP in (await visitor.open("/info")).words
    assert link in (await Visitor(police.app).open("/sign-in")).links


async def test_it_tells_nothing_about_anybody_and_speaks_the_languages(world: World) -> None:
    visitor = Visitor(world["health"].app, language="fa-AF")
    page = await visitor.open("/info")
    assert 'dir="rtl"' in page.text
    french = await visitor.open("/info?language=fr")
    assert 'lang="fr"' in french.text
    assert "Fermé" in french.words or "Ouvert" in french.words
    assert (await visitor.open("/info")).text.count('lang="fr"') >= 1  # kept, without a session
    for path in ("/info", "/calendar", "/blank"):
        text = (await visitor.open(path)).text
        assert "refnet" not in text.split("</head>")[1].lower()
        assert 'action="/hide"' not in text
