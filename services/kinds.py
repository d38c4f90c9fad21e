"""Which kinds of agency this software runs, and where each is composed."""

from importlib import import_module

from services.agency import AgencyParts
from shared.casework.vocabulary import Contents
from shared.contracts.casework.codes import AgencyKind
from shared.kit.errors import RefnetError

MODULES = {
    AgencyKind.POLICE: "services.police.main",
    AgencyKind.HEALTH: "services.health.main",
    AgencyKind.SOCIAL_WELFARE: "services.social_welfare.main",
    AgencyKind.PARTNER: "services.partner.main",
    AgencyKind.JUSTICE: "services.justice.main",
    AgencyKind.OVERSIGHT: "services.oversight.main",
}


def parts_of(kind: AgencyKind) -> AgencyParts:
    """The parts of a kind; raises RefnetError for one that is not built yet."""
    if kind not in MODULES:
        raise RefnetError(f"An agency of kind '{kind}' cannot be run yet; kinds are {', '.join(sorted(MODULES))}.")
    parts: AgencyParts = import_module(MODULES[kind]).PARTS
    return parts


def heard_by(kind: AgencyKind) -> Contents:
    """What a kind hears, without its pages and commands: a peer's would cost an agency 20 MB and half a second of its start."""
    heard: Contents = import_module(MODULES[kind].replace(".main", ".subscriptions")).SUBSCRIPTIONS
    return heard
