"""Every answer that tells of anybody is kept by no cache, runs no inline script and is framed by nobody."""

from agencies import World, consent, open_case, refer
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.contracts.casework.codes import Role

PAGES = ["/work", "/cases", "/cases/new", "/directory", "/hand-over", "/paper", "/me", "/nothing-here", "/sign-in", "/info",
         "/calendar", "/blank"]  # fmt: skip


async def test_headers_of_every_page_and_of_the_card(world: World) -> None:
    police = world["police"]
    desk = await police.sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    issued = await refer(desk, case_id, incident_id, "health")
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, "officer-1", Role.OFFICER), "officer-1")
    about = [f"/cases/{case_id}", f"/referrals/{issued['id']}", f"/referrals/{issued['id']}/card.pdf"]
    for path in (*PAGES, *about):
        answer = await visitor.client.get(path)
        assert answer.headers["cache-control"] == "no-store", path
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        if "html" in answer.headers["content-type"]:
            assert "<script>" not in answer.text
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text
    kept = await visitor.client.get("/static/refnet.css")
    assert "immutable" in kept.headers["cache-control"]


async def test_the_cookie_is_for_this_site_only_and_for_no_script(world: World) -> None:
    police = world["police"]
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, "officer-1", Role.OFFICER), "officer-1")
    page = await visitor.client.get("/sign-in")
    assert page.status_code == 200
    answer = await visitor.client.post(
        "/sign-in", data={"name": "officer-1", "password": "kettle orbit mango fence"}, follow_redirects=False
    )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
