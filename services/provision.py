"""`refnet provision`: topics, users and rights on the broker, for its operator."""

import secrets
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from services.broker_users import BrokerUser, user_of
from services.settings import Settings
from shared.casework.directory.network import Network
from shared.exchange.access import Access
from shared.exchange.access import provision as make_topics
from shared.exchange.rights import Admitted, admit, dismiss
from shared.kit.errors import RefnetError

PASSWORD_BYTES = 24  # 192 bits: nobody guesses it, whatever is recorded of a login
NO_RIGHTS = "This broker keeps no rights: whoever reaches it may write and read every lane."


async def provision(settings: Settings, renew: Collection[str] = (), leaver: str | None = None) -> dict[str, Any]:
    """What was made and changed, and the same in words (`said`); a second call changes nothing. Raises RefnetError."""
    network = settings.network()
    access = settings.access(purpose=network.purpose)
    if unknown := sorted(set(renew) - network.agencies.keys()):
        raise RefnetError(
            f"The network file has no agency '{unknown[0]}'; --renew takes one of {', '.join(sorted(network.agencies))}."
        )
    if leaver in network.agencies:
        raise RefnetError(f"'{leaver}' is in the network file; take it out there before --dismiss takes its rights.")
    made = await make_topics(access, network.topics(), network.partitions)
    done = await admit_agencies(access, settings.home, network, renew)
    left = await _dismissed(access, settings.home, leaver) if leaver is not None else None
    if not done.keeps_rights and network.purpose == "production":
        raise RefnetError(f"{NO_RIGHTS} A production network needs one that does (docs/operating.md, The broker's users).")
    done.insist()
    changes = [*done.changes, *(left.changes if left else ())]
    folders = [f"{agency}: its password is in {user_of(settings.home, agency).folder}" for agency in done.users]
    seen = [f"{words}, which is not this network's to take" for words in done.seen]
    said = [*(f"made {name}" for name in made), *changes, *folders, *seen, *([] if done.keeps_rights else [NO_RIGHTS])]
    return {"made": made, "changes": changes, "keeps_rights": done.keeps_rights, "said": said}


async def admit_agencies(access: Access, home: Path, network: Network, renew: Iterable[str] = ()) -> Admitted:
    """Gives every agency its rights and, where the broker has none, a user, whose password is left in `home`. A broker that lost
    its users is given the same passwords again, so that no agency notices. Raises RefnetError."""
    renew = frozenset(renew)
    passwords = {agency: _password_for(user_of(home, agency), agency in renew) for agency in network.agencies}
    done = await admit(access, network.topics(), passwords, renew)
    for agency, password in passwords.items():
        user = user_of(home, agency)
        # An authority that was made anew reaches those whose password is known here; another's user keeps what it has.
        if agency in done.users or (user.name_and_password()[1] == password and user.differs(access.ca)):
            user.keep(password, access.ca)
    return done


async def _dismissed(access: Access, home: Path, agency: str) -> Admitted:
    done = await dismiss(access, agency)
    user_of(home, agency).forget()
    return done


def _password_for(user: BrokerUser, is_renewed: bool) -> str:
    kept = None if is_renewed else user.name_and_password()[1]
    return kept or secrets.token_urlsafe(PASSWORD_BYTES)
