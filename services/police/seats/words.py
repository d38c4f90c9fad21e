"""What screens call how it stands with a seat."""

from services.police.seats.domain import Presence
from shared.kit.i18n import mark as _

PRESENCES = {
    Presence.PRESENT: _("Is here"), Presence.CALLED_AWAY: _("Called away: court, a visit, a course"),
    Presence.ON_LEAVE: _("On leave or ill"), Presence.NOT_POSTED: _("Nobody is posted here"),
}  # fmt: skip
WORDS = {"presence": {str(one): words for one, words in PRESENCES.items()}}
