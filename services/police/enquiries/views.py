"""Where her word is set and asked for. Reads only."""

from collections.abc import Sequence

from services.police.enquiries.domain import has_enquiries
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.contracts.casework.codes import Role
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the word of a case is chosen."""
    return [(f"/cases/{case.id}/own-word", _("Word for the telephone"))] if has_enquiries(here.programme) else []


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """Where a call is answered that asks how a case stands."""
    return (
        [("/enquiry", _("Somebody asks by telephone"))]
        if has_enquiries(here.programme) and by.role is not Role.ADMINISTRATOR
        else []
    )
