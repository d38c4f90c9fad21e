"""Writing down what was done or demanded against the protocol: kept, and told to the post above the desk's."""

from dataclasses import dataclass
from uuid import UUID

from shared.casework.alarms.commands import raise_alarm
from shared.casework.breaches.domain import BreachCode, ByWhom
from shared.casework.breaches.tables import Breach
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Answer, Message, Situation
from shared.programmes.terms import Act
from shared.programmes.terms import Fact as Known
from shared.programmes.vocabulary import MustAccept

# What rules say of a breach; others speak of the same act.
SPEAK_OF_IT = frozenset({Message.ACT_IS_BLOCKED, Message.BREACH, Message.TURNED_AWAY_WITHOUT_RECORD, Message.FILES_STAY_APART})


class RecordBreach(Form):
    """What was done or demanded, and from whose side."""

    code: BreachCode
    by_whom: ByWhom
    occurred_at: events.Moment | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A breach that was kept, and what the programme's rules say of it."""

    breach: Breach
    said: tuple[Answer, ...]


async def record_breach(case_id: UUID, command: RecordBreach, tx: Transaction, here: Here, by: Actor) -> Recorded:
    """Keeps a breach of the protocol and tells the post above the desk's. There is nothing else that a mediation may be kept as."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    now = tx.clock.now()
    row = Breach(
        id=new_id(), case_id=case.id, code=command.code, by_whom=command.by_whom, facility=by.facility or case.facility,
        occurred_at=happened("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    situation = _situation(command.code, row, here.programme)
    said = tuple(one for one in answers(here.programme, situation) if one.message in SPEAK_OF_IT) if situation is not None else ()
    # Rule 8 holds where a programme says nothing of it; the one that says "an attempt is no alarm" is heard.
    if not said or any(one.raises_alarm for one in said):
        await raise_alarm(tx, here, "breach", row.id, row.facility, Urgency.URGENT, case.id, to_supervisor=True)
    return Recorded(row, said)


def _situation(code: BreachCode, row: Breach, programme: Programme) -> Situation | None:
    match code:
        case BreachCode.SENT_ON_UNRECORDED:  # at which station is written nowhere: any that must accept
            kinds = [kind for rule in programme.rules.values() if isinstance(rule, MustAccept) for kind in rule.at]
            unrecorded = frozenset({Known.REQUEST_RECORDED})
            return Situation(act=Act.RECEIVE, now=row.occurred_at, not_so=unrecorded, facility_kind=next(iter(kinds), None))
        case BreachCode.MEDIATION_ATTEMPTED:
            return Situation(act=Act.MEDIATE, now=row.occurred_at)
        case BreachCode.POLICE_REPORT_DEMANDED:
            return Situation(act=Act.RECEIVE, now=row.occurred_at, facts=frozenset({Known.POLICE_REPORT_DEMANDED}))
        case BreachCode.PROPERTY_NOT_RETURNED:
            asked = frozenset({Known.RETURN_ASKED_FOR})
            return Situation(act=Act.RETURN_PROPERTY, now=row.occurred_at, facts=asked, not_so=frozenset({Known.HANDED_BACK}))
        case BreachCode.MADE_AN_OFFENCE:
            return Situation(act=Act.RECORD_MORAL_OFFENCE, now=row.occurred_at)
        case BreachCode.ADDRESS_STORED:
            return Situation(act=Act.STORE_ADDRESS, now=row.occurred_at)
        case BreachCode.FILES_LINKED:
            return Situation(act=Act.LINK_FILES, now=row.occurred_at)
        case _:
            return None
