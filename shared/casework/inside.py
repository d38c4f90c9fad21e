"""What is done inside an agency and is under the log that its peers sign unread: who looked at which case, who
tried to, who opened one beyond her own desk, and when.

A row of these tables is never changed once it is written; what a programme adds gets a line here.
"""

from shared.casework.accounts.tables import Attempt, CaseRead
from shared.casework.eyes.tables import Opening
from shared.exchange.inside import Source

INSIDE = (
    Source(CaseRead, ("id", "case_id", "account_id", "what", "read_at")),
    Source(Opening, ("id", "case_id", "account_id", "why", "second", "opened_at", "until_at")),
    Source(Attempt, ("id", "account_id", "what", "about", "tried_at")),
)
