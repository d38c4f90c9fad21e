"""What is done inside an agency and is under the log that its peers sign unread: who looked at which case, and what was done about
consents.

A row of these tables is never changed once it is written; what a programme adds (break-glass) gets a line here.
"""

from shared.casework.accounts.tables import CaseRead
from shared.casework.consents.tables import COMMITTED, ConsentEvent
from shared.exchange.inside import Source

INSIDE = (Source(CaseRead, ("id", "case_id", "account_id", "what", "read_at")), Source(ConsentEvent, COMMITTED))
