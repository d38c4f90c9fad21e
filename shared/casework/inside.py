"""What is done inside an agency and is under the log that its peers sign unread: who looked at which case, and when.

A row of these tables is never changed once it is written; what a programme adds (break-glass) gets a line here.
"""

from shared.casework.accounts.tables import CaseRead
from shared.exchange.inside import Source

INSIDE = (Source(CaseRead, ("id", "case_id", "account_id", "what", "read_at")),)
