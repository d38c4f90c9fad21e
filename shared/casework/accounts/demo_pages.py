"""One-click sign-in, in a demo only: the network file's purpose decides, and every other network has no such page."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts import sessions
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Account
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Forbidden
from shared.casework.pages.visits import as_it_stood, browser_of, set_browser, set_session
from shared.kit.errors import NotFound
from shared.kit.forms import read_values

router = APIRouter(include_in_schema=False)


async def made_up_accounts(edge: Edge) -> list[Account]:
    """Who may sign in with one click; nobody outside a demo."""
    if edge.here.network.purpose != "demo":
        return []
    async with edge.database.read() as tx:
        query = select(Account).where(col(Account.is_disabled).is_(False)).order_by(col(Account.id))
        return list((await tx.session.execute(query)).scalars())


@router.post("/demo/sign-in")
async def post_demo(request: Request, edge: OneEdge) -> Response:
    """Signs a made-up account in. The start page is another port of the same machine, so it counts as the same site."""
    if edge.here.network.purpose != "demo":
        raise NotFound("There is no such page.")
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "same-site", "none"}:
        raise Forbidden("This form is from another site; open the demo's own start page.")
    name = (await read_values(request)).get("account", [""])[-1]
    browser = browser_of(request, edge)
    device = sessions.device_id(browser)
    async with edge.database.write() as tx:
        account = await find_account(tx, name)
        token = await sessions.open_session(tx, account, device, needs_code=False, language=edge.pages.language(request))
        back_to = await sessions.come_back(tx, account.id, device)
    response = RedirectResponse(as_it_stood(back_to) if back_to else "/", 303)
    set_session(response, edge, token)
    set_browser(response, edge, browser)
    return response
