"""Pages: signing in and out, the lock, another user at the same computer, one's own account, and the accounts of others."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from shared.casework.accounts import commands, credentials, sessions
from shared.casework.accounts.credentials import Answer, Client, Issued, WeakSecret
from shared.casework.accounts.demo_pages import made_up_accounts
from shared.casework.accounts.sessions import Visit
from shared.casework.accounts.tables import Account
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Forbidden
from shared.casework.pages.frame import PAGE_LANGUAGES
from shared.casework.pages.visits import (
    Elsewhere,
    MaybeVisitor,
    Posted,
    StaleForm,
    Visitor,
    as_it_stood,
    browser_of,
    device_of,
    drop_session,
    form_of,
    home_of,
    inside,
    is_choosing_secrets,
    is_herself,
    leave,
    page_of,
    posted,
    set_browser,
    set_session,
    submit,
    visiting,
    writer_of,
)  # fmt: skip
from shared.contracts.casework.codes import Role
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill, read_values
from shared.kit.i18n import mark as _
from shared.kit.pages import is_same_site

router = APIRouter(include_in_schema=False)

CARD_SHOWN = timedelta(minutes=15)  # to print it and to print it again; a card that lies about longer is another's

Next = Annotated[str | None, Query(max_length=200)]


class SignIn(Body):
    """Name and password."""

    name: str
    password: str


class OwnSecrets(Body):
    """A new password, twice, and a PIN."""

    password: str
    again: str
    pin: str
    old: str = ""


class NewAccount(Body):
    """An account for a colleague."""

    name: str
    role: Role
    facility: str | None = None


# --- in and out --------------------------------------------------------------------------------------------------------


@router.get("/")
async def show_home(visit: Visitor) -> Response:
    """Where the day of this account begins."""
    return RedirectResponse(home_of(visit.actor.role), 303)


@router.get("/sign-in")
async def show_sign_in(request: Request, edge: OneEdge, next: Next = None) -> Response:  # noqa: A002 — the query's name
    """Name and password."""
    return edge.pages.show(request, "accounts/sign_in.html", next=inside(next), made_up=await made_up_accounts(edge))


@router.post("/sign-in")
async def post_sign_in(request: Request, edge: OneEdge) -> Response:
    """The first step; the code card follows."""
    if not is_same_site(request):
        raise StaleForm("This form is from another page; open the sign-in page and try again.")
    values = await read_values(request)
    form = fill(SignIn, values, {"name": _("Type your sign-in name."), "password": _("Type your password.")})
    onward = inside(values.get("next", ["/"])[-1])
    if form.model is None:
        return edge.pages.show(request, "accounts/sign_in.html", form=form, next=onward, status=422)
    browser = browser_of(request, edge)
    device = sessions.device_id(browser)
    client = Client(device, request.client.host if request.client else "")
    answer = await credentials.check_password(edge.database, form.model.name, form.model.password, client)
    if answer is not Answer.RIGHT:
        form.error("name", _OVER if answer is Answer.OVER else _WRONG)
        return edge.pages.show(request, "accounts/sign_in.html", form=form, next=onward, status=403)
    async with edge.database.write() as tx:
        account = await commands.find_account(tx, form.model.name)
        token = await sessions.open_session(tx, account, device, needs_code=True, language=edge.pages.language(request))
    response = RedirectResponse(f"/sign-in/code?next={quote(onward, safe='/')}", 303)
    set_session(response, edge, token)
    set_browser(response, edge, browser)
    return response


# One sentence for a wrong name, a wrong password and an account that waits: which it is, is nobody's business.
_WRONG = _("The name or the password is not right. After five wrong answers an account waits 15 minutes.")
_OVER = _("This one-time password is too old. Ask your supervisor for a new one.")


@router.get("/sign-in/code")
async def show_code(request: Request, edge: OneEdge, visit: MaybeVisitor, next: Next = None) -> Response:  # noqa: A002
    """Which code of the card."""
    if visit is None:
        raise Elsewhere("/sign-in")
    return await _code_page(request, edge, visit, inside(next))


async def _code_page(
    request: Request, edge: Edge, visit: Visit, onward: str, form: Filled[BaseModel] | None = None, status: int = 200
) -> Response:
    async with edge.database.write() as tx:
        account = await _own(tx, visit)
        number = await credentials.code_asked(tx, account)
    shown = form or Filled()
    return edge.pages.show(
        request, "accounts/code.html", number=number, csrf_token=visit.csrf, next=onward, form=shown, status=status
    )


async def _own(tx: Transaction, visit: Visit, *, lock: bool = False) -> Account:
    account = await tx.session.get(Account, visit.actor.account_id, with_for_update=lock or None, populate_existing=lock)
    if account is None:
        raise Elsewhere("/sign-in")
    return account


@router.post("/sign-in/code")
async def post_code(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """The second step: the session is whole. It goes on to the address that was asked for, unless another may have left it."""
    if visit is None:
        raise Elsewhere("/sign-in")
    values = await form_of(request, visit)
    onward = inside(values.get("next", ["/"])[-1])
    async with edge.database.write() as tx:
        answer = await credentials.check_code(tx, await _own(tx, visit, lock=True), values.get("code", [""])[-1], visit.device)
        if await sessions.was_another_here(tx, visit):
            onward = "/"
        opened = await sessions.admit(tx, visit.session_id) if answer is Answer.RIGHT else None
    if opened is None:
        form: Filled[BaseModel] = Filled(values).error(
            "code", _("That is not the code with this number. After five wrong answers an account waits 15 minutes.")
        )
        return await _code_page(request, edge, visit, onward, form, status=403)
    response = RedirectResponse(as_it_stood(opened.back_to) if opened.back_to else onward, 303)
    set_session(response, edge, opened.token)
    return response


@router.post("/sign-out")
async def post_sign_out(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """The session is over, and the browser forgets what it kept."""
    if visit is not None:
        await form_of(request, visit)
        async with edge.database.write() as tx:
            await sessions.sign_out(tx, visit)
    response = RedirectResponse("/sign-in", 303)
    drop_session(response, edge)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


# --- hide, lock, another user -------------------------------------------------------------------------------------------


@router.post("/hide")
async def post_hide(request: Request, visit: MaybeVisitor) -> Response:
    """Blanks the page and locks the session; what stood in the form is kept sealed, and shown again after the PIN."""
    await leave(request, visit)
    response = RedirectResponse("/blank", 303)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/blank")
async def show_blank(request: Request, edge: OneEdge) -> Response:
    """A page that says nothing, with the way back for who knows it."""
    return edge.pages.show(request, "accounts/blank.html")


@router.post("/touch", status_code=204)
async def post_touch(request: Request, visit: MaybeVisitor) -> Response:
    """Somebody sits before the page and types or points: it is not idle. The visit itself has noted it. So does whoever chooses
    her first password and PIN: without one, a lock would shut her out."""
    if is_choosing_secrets(visit):
        await form_of(request, visit)
    else:
        await posted(request, await visiting(request))
    return Response(status_code=204)


@router.post("/drafts/forget")
async def post_forget(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What was kept of a page's form is thrown away, and the page is empty."""
    path = page_of(values) or "/"
    async with edge.database.write() as tx:
        await sessions.forget_draft(tx, writer_of(request, visit), path)
    return RedirectResponse(path, 303)


@router.post("/switch")
async def post_switch(request: Request, visit: MaybeVisitor) -> Response:
    """Locks this session, keeps what stood in its page's form, and shows who may go on at this computer."""
    await leave(request, visit)
    return RedirectResponse("/locked", 303)


@router.get("/locked")
async def show_locked(request: Request, edge: OneEdge, visit: MaybeVisitor, next: Next = None) -> Response:  # noqa: A002
    """Everybody whose session waits at this browser: a PIN opens it."""
    return await _locked_page(request, edge, visit, inside(next))


async def _locked_page(
    request: Request, edge: Edge, visit: Visit | None, onward: str, wrong: UUID | None = None, status: int = 200
) -> Response:
    async with edge.database.read() as tx:
        waiting = await sessions.waiting_on(tx, device_of(request, edge))
        is_kept = visit is not None and await sessions.keeps_something(tx, writer_of(request, visit))
    if not waiting:
        raise Elsewhere("/sign-in")
    own = visit.session_id if visit else None
    waiting.sort(key=lambda one: (one.handed_over, one.session_id != own))  # whoever has left comes last
    here = [one for one in waiting if one.session_id == own] or waiting
    return edge.pages.show(
        request, "accounts/locked.html", waiting=waiting, own=own, wrong=wrong, next=onward, status=status,
        errors=wrong is not None, is_kept=is_kept, is_over=all(one.handed_over for one in here),
    )  # fmt: skip


@router.post("/locked")
async def post_unlock(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """The PIN of one of the sessions that wait here; or one of them leaves, because its shift was handed over."""
    if not is_same_site(request):
        raise StaleForm("This form is from another page; open the locked page and try again.")
    values = await read_values(request)
    onward = inside(values.get("next", ["/"])[-1])
    try:
        session_id = UUID(values.get("session", [""])[-1])
    except ValueError:
        raise Elsewhere("/locked") from None
    if "leave" in values:
        async with edge.database.write() as tx:
            await sessions.leave_shift(tx, session_id, device_of(request, edge))
        return RedirectResponse("/locked", 303)
    is_same = visit is not None and visit.session_id == session_id
    opened = await sessions.unlock(edge.database, session_id, device_of(request, edge), values.get("pin", [""])[-1])
    if opened is None:
        return await _locked_page(request, edge, visit, onward, wrong=session_id, status=403)
    response = RedirectResponse(as_it_stood(opened.back_to) if opened.back_to else onward if is_same else "/", 303)
    set_session(response, edge, opened.token)
    return response


# --- one's own account ---------------------------------------------------------------------------------------------------


@router.get("/me")
async def show_me(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Language, codes left, PIN, signing out."""
    async with edge.database.read() as tx:
        left = await credentials.codes_left(tx, visit.actor.account_id)
        has_password = (await _own(tx, visit)).password_hash is not None
    return edge.pages.show(
        request, "accounts/me.html", visit, codes_left=left, has_password=has_password, few=credentials.CODES_LEFT_FEW
    )


@router.post("/me/language")
async def post_language(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """The language of the pages, here and before signing in."""
    values = await form_of(request, visit) if visit else await read_values(request)
    chosen = values.get("language", [""])[-1]
    if chosen in PAGE_LANGUAGES and visit is not None:
        async with edge.database.write() as tx:
            await sessions.choose_language(tx, visit.session_id, chosen)
    response = RedirectResponse("/me" if visit and not (visit.is_locked or visit.needs_code) else "/sign-in", 303)
    if chosen in PAGE_LANGUAGES:
        response.set_cookie("refnet-language", chosen, httponly=True, samesite="strict", secure=edge.pages.is_secure, path="/")
    return response


@router.get("/me/secrets")
async def show_secrets(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """One's own password and PIN."""
    if visit is None or visit.needs_code or visit.is_locked:
        raise Elsewhere("/sign-in")
    return edge.pages.show(request, "accounts/secrets.html", visit)


@router.post("/me/secrets")
async def post_secrets(request: Request, edge: OneEdge, visit: MaybeVisitor) -> Response:
    """Keeps them."""
    if visit is None or visit.needs_code or visit.is_locked:
        raise Elsewhere("/sign-in")
    values = await form_of(request, visit)
    words = {
        "password": _("Type a new password."),
        "again": _("Type the new password again."),
        "pin": _("Choose a PIN of 6 digits."),
    }
    form = fill(OwnSecrets, values, words)
    if form.model is not None and form.model.password != form.model.again:
        form.error("again", _("The two passwords are not the same."))
    if form.model is not None and not form.errors:
        try:
            await _only_herself(edge, visit, form.model.old)  # ends the session where somebody guesses
            await credentials.set_own_secrets(edge.database, visit.actor, form.model.password, form.model.pin)
            async with edge.database.write() as tx:
                await sessions.end_all(tx, visit.actor.account_id, but=visit.session_id)
            return RedirectResponse(home_of(visit.actor.role), 303)
        except WeakSecret as error:
            form.error(error.field, error)
    return edge.pages.show(request, "accounts/secrets.html", visit, form=form, errors=True, status=422)


async def _only_herself(edge: Edge, visit: Visit, pin: str) -> None:
    if not (visit.must_renew or await is_herself(edge, visit, pin)):
        raise WeakSecret("old", _("That is not your PIN until now."))


# --- the accounts of others ----------------------------------------------------------------------------------------------


@router.get("/accounts")
async def show_accounts(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who may sign in."""
    async with edge.database.read() as tx:
        rows = await commands.accounts_of(tx, visit.actor)
    return edge.pages.show(
        request,
        "accounts/list.html",
        visit,
        rows=rows,
        changes=commands.may_look_after(edge.here, visit.actor),
        is_demo=edge.here.network.purpose == "demo",
    )


@router.get("/accounts/new")
async def show_new_account(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A new account."""
    visit.actor.may_supervise()
    return edge.pages.show(request, "accounts/new.html", visit, roles=commands.may_look_after(edge.here, visit.actor))


@router.post("/accounts/new")
async def post_account(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes it; its one-time password and code card are on the page that follows."""
    visit.actor.may_supervise()
    roles = commands.may_look_after(edge.here, visit.actor)
    form = fill(NewAccount, values, {"name": _("Type a sign-in name."), "role": _("Choose a role.")})
    made = form.model
    if made is None:
        return edge.pages.show(request, "accounts/new.html", visit, form=form, roles=roles, errors=True, status=422)
    if made.role not in roles or not visit.actor.sees(made.facility):
        raise Forbidden("A supervisor of one place makes accounts for that place, and none that stand above it.")
    first = await credentials.one_time()

    async def work(tx: Transaction) -> str:
        account = await commands.add_account(tx, edge.here, made.name, made.role, made.facility)
        return await _keep_card(tx, request, edge, visit, account.id, await credentials.issue(tx, account, first))

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("name", error)
    return edge.pages.show(request, "accounts/new.html", visit, form=form, roles=roles, errors=True, status=422)


@router.post("/accounts/{account_id}/reset")
async def post_reset(account_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A new one-time password and card, on the page that follows."""
    first = await credentials.one_time()

    async def work(tx: Transaction) -> str:
        account = await commands.load_to_change(tx, edge.here, account_id, visit.actor)
        if account.id == visit.actor.account_id:
            raise Conflict("Nobody resets the own account; ask another supervisor.")
        return await _keep_card(tx, request, edge, visit, account.id, await commands.reset_account(tx, account.name, first))

    return await submit(request, edge, visit, values, work)


# A card is shown once, and a second tap or a page that is loaded again is the same once: until it is put away it lies sealed
# under the browser's cookie, like what stood in a hidden form.


def _card_key(account_id: UUID) -> str:
    return f"/accounts/{account_id}/card{sessions.APART}card"


async def _keep_card(tx: Transaction, request: Request, edge: Edge, visit: Visit, account_id: UUID, issued: Issued) -> str:
    fields = {
        "password": [issued.password],
        "numbers": [str(n) for n, _code in issued.codes],
        "codes": [c for _n, c in issued.codes],
    }
    await sessions.keep_draft(tx, writer_of(request, visit), _card_key(account_id), fields)
    return f"/accounts/{account_id}/card"


@router.get("/accounts/{account_id}/card")
async def show_card(account_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The one-time password and the code card of an account that was made or reset just now."""
    async with edge.database.read() as tx:
        account = await commands.load_account(tx, account_id, visit.actor)
        kept = await sessions.read_draft(tx, writer_of(request, visit), _card_key(account_id))
        is_over = kept is None or kept.kept_at + CARD_SHOWN <= tx.clock.now()
    if kept is None or is_over:
        raise NotFound("This card is shown no more; make a new one for the account.")
    codes = tuple((int(n), code) for n, code in zip(kept.fields["numbers"], kept.fields["codes"], strict=True))
    return edge.pages.show(request, "accounts/card.html", visit, account=account, issued=Issued(kept.fields["password"][0], codes))


@router.post("/accounts/{account_id}/card")
async def post_card(account_id: UUID, request: Request, edge: OneEdge, visit: Visitor, _values: Posted) -> Response:
    """It is on paper: nobody sees it here again."""
    async with edge.database.write() as tx:
        await commands.load_account(tx, account_id, visit.actor)
        await sessions.forget_draft(tx, writer_of(request, visit), _card_key(account_id))
    return RedirectResponse("/accounts", 303)


@router.get("/accounts/{account_id}/disable")
async def show_disable(account_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What disabling does, before it is done."""
    async with edge.database.read() as tx:
        account = await commands.load_to_change(tx, edge.here, account_id, visit.actor)
    return edge.pages.show(request, "accounts/disable.html", visit, account=account)


@router.post("/accounts/{account_id}/disable")
async def post_disable(account_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Disables it at once; its open items go back to the facility."""

    async def work(tx: Transaction) -> str:
        account = await commands.load_account(tx, account_id, visit.actor)
        if account.id == visit.actor.account_id:
            raise Conflict("Nobody disables the own account; ask another supervisor.")
        await commands.load_to_change(tx, edge.here, account_id, visit.actor)
        await commands.disable_account(tx, edge.here, account.name)
        return "/accounts"

    return await submit(request, edge, visit, values, work)
