"""What is done inside an agency and is under the log that its peers sign unread: who looked at which case, who tried to, who opened
one beyond her own desk, what was done about consents, which file was handed out to whom and what for, and which figures were
released.

A row of these tables is never changed once it is written; what a programme adds gets a line here.
"""

from shared.casework.accounts.tables import Attempt, CaseRead
from shared.casework.consents.tables import COMMITTED, ConsentEvent
from shared.casework.exports.tables import Export
from shared.casework.eyes.tables import Opening
from shared.casework.figures.tables import FigureRelease
from shared.exchange.inside import Source

INSIDE = (
    Source(CaseRead, ("id", "case_id", "account_id", "what", "read_at")),
    Source(ConsentEvent, COMMITTED),
    Source(Export, ("id", "account_id", "what", "case_id", "period", "purpose", "recipient_key", "digest", "made_at")),
    Source(FigureRelease, ("id", "period", "number", "shown", "released_by", "released_at")),
    Source(Opening, ("id", "case_id", "account_id", "why", "second", "opened_at", "until_at")),
    Source(Attempt, ("id", "account_id", "what", "about", "tried_at")),
)
