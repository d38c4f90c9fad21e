"""The commands `refnet users add|list|disable|reset`."""

import asyncio
from typing import Annotated, Any

import typer

from services.terminal import AgencyId, AsJson, in_database, say

users = typer.Typer(no_args_is_help=True, help="Accounts of an agency.")

CODES_IN_A_ROW = 5  # of a card on a terminal of 80 columns


def _account(account: Any) -> dict[str, Any]:
    return {"name": account.name, "role": account.role, "facility": account.facility, "disabled": account.is_disabled}


def _account_words(account: dict[str, Any]) -> str:
    where = account["facility"] or "the whole agency"
    return f"{account['name']}\t{account['role']}\t{where}{chr(9) + 'disabled' if account['disabled'] else ''}"


@users.command("add")
def users_add(
    agency: AgencyId,
    name: Annotated[str, typer.Option(help="The sign-in name.")],
    role: Annotated[str, typer.Option(help="officer, clinician, social_worker, supervisor or administrator.")],
    facility: Annotated[str | None, typer.Option(help="Where the account works; left out, it sees the whole agency.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an account."""
    from shared.casework.accounts.commands import add_account
    from shared.casework.accounts.credentials import issue, one_time
    from shared.contracts.casework.codes import Role

    if role not in list(Role):
        raise typer.BadParameter(f"'{role}' is not one of {', '.join(Role)}.", param_hint="--role")

    first = asyncio.run(one_time())

    async def work(tx: Any, here: Any) -> dict[str, Any]:
        made = await add_account(tx, here, name, Role(role), facility)
        return {**_account(made), **_secrets(await issue(tx, made, first))}

    say(in_database(agency, work), as_json, lambda d: f"{_account_words(d)}\n{_secret_words(d)}")


@users.command("list")
def users_list(agency: AgencyId, as_json: AsJson = False) -> None:
    """List the accounts."""
    from sqlalchemy import select
    from sqlmodel import col

    from shared.casework.accounts.tables import Account

    async def work(tx: Any, _here: Any) -> list[dict[str, Any]]:
        return [_account(row) for row in (await tx.session.execute(select(Account).order_by(col(Account.name)))).scalars()]

    accounts = in_database(agency, work)
    say({"accounts": accounts}, as_json, lambda d: "\n".join(map(_account_words, d["accounts"])) or "There is no account yet.")


@users.command("disable")
def users_disable(agency: AgencyId, name: Annotated[str, typer.Option(help="The sign-in name.")]) -> None:
    """Disable an account: its tokens and sessions end, and what it held goes back to its facility."""
    from shared.casework.accounts.commands import disable_account

    in_database(agency, lambda tx, here: disable_account(tx, here, name))
    typer.echo(f"'{name}' can no longer sign in.")


@users.command("reset")
def users_reset(agency: AgencyId, name: Annotated[str, typer.Option(help="The sign-in name.")], as_json: AsJson = False) -> None:
    """Let an account sign in again, with a one-time password and a new code card; its tokens and sessions are over."""
    from shared.casework.accounts.commands import reset_account
    from shared.casework.accounts.credentials import one_time

    first = asyncio.run(one_time())
    made = in_database(agency, lambda tx, _here: reset_account(tx, name, first))
    say({"name": name, **_secrets(made)}, as_json, lambda d: f"'{name}' can sign in again.\n{_secret_words(d)}")


def _secrets(issued: Any) -> dict[str, Any]:
    return {"password": issued.password, "codes": [{"number": number, "code": code} for number, code in issued.codes]}


def _secret_words(shown: dict[str, Any]) -> str:
    cells = [f"{entry['number']:>2}: {entry['code']}" for entry in shown["codes"]]
    rows = ["   ".join(cells[start : start + CODES_IN_A_ROW]) for start in range(0, len(cells), CODES_IN_A_ROW)]
    return f"One-time password: {shown['password']}\nCode card, shown once; print it and give it to nobody else:\n  " + "\n  ".join(
        rows
    )
