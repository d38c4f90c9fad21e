"""What the programme's rules say before an act: the feature that does it asks, in the transaction that does it.

A refusal is one sentence; where the rule tells a post of the attempt, that is kept although nothing else is. Everything else that
rules say of an act (warnings, proposals) is handed back for the page: nothing is closed, sent or undone by it.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from shared.casework.alarms.commands import raise_alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, Urgency
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, KeptRefusal, Sentence
from shared.kit.i18n import mark as _
from shared.programmes.rules import answers
from shared.programmes.situation import Answer, Held, Message, Situation, Verdict
from shared.programmes.vocabulary import CertificateRequired

# A sentence for whatever refuses an act. Where a feature has words of its own for one, it says those.
REFUSALS: Mapping[Message, str] = {
    Message.CERTIFICATE_MISSING: _("Only somebody with this certificate does that: %(missing)s. Ask a colleague who has it."),
    Message.TRAINED_NOT_CERTIFIED: _("You were trained and are not certified yet: %(missing)s. Ask a colleague who is."),
    Message.CERTIFICATE_EXPIRED: _("Your certificate has ended: %(missing)s. Ask a colleague whose has not."),
    Message.CERTIFICATE_REVOKED: _("Your certificate was ended: %(missing)s. Ask a colleague who has one."),
    Message.ACT_IS_BLOCKED: _("The programme does not have this done. Nothing was written down."),
    Message.NEEDED_FIRST: _("The programme asks for something first: %(missing)s. Nothing was written down."),
    Message.FEE_IS_A_BREACH: _("This is free; ask for no money."),
    Message.FORM_VERSION_OLD: _("This version of the form is not taken; hand it back and ask for %(missing)s as it is now."),
    Message.FORM_NOT_OURS: _("This form is not taken; hand it back and ask for %(missing)s."),
    Message.FILES_STAY_APART: _("The two files stay apart; nothing may link them."),
    Message.WINDOW_PASSED: _("Too much time has passed for this. Care is never too late: send her."),
    Message.STOCK_NONE: _("None is left in the box. Care has it: send her."),
}  # fmt: skip
# And for whatever else is said of one: of what is allowed nothing needs to be said.
ADVICE: Mapping[Message, str] = {
    Message.SUGGESTED: _("The programme proposes: %(what)s."),
    Message.CHILD_ADDS: _("For a child the programme adds: %(what)s."),
    Message.AGE_ROUTES: _("At this age straight to: %(what)s."),
    Message.REFERRAL_STILL_NEEDED: _("Care is still to be offered: %(what)s."),
    Message.NEVER_TOO_LATE_FOR_CARE: _("The best time for it has passed. Care is never too late."),
    Message.WINDOW_NOT_KNOWN: _("How long ago it was is not known: ask, and do not wait for the answer."),
    Message.MAY_FOLLOW: _("Goes on, and is to follow: %(what)s."),
    Message.GIVEN_BEFORE: _("It was given for this before."),
    Message.BREACH: _("This is against the protocol, and the post above is told."),
    Message.FEE_IS_A_BREACH: _("This is free; ask for no money."),
    Message.STOCK_NOT_COUNTED: _("The box was not counted yet."),
}  # fmt: skip


class RuleRefuses(KeptRefusal, Conflict):
    """A rule refuses an act. Whatever was referred stays."""

    def __init__(self, answer: Answer, here: Here, facility: str, about: UUID, case_id: UUID | None) -> None:
        super().__init__(REFUSALS[answer.message], missing=missing_words(here, answer))
        self.answer, self._here, self._facility, self._about, self._case_id = answer, here, facility, about, case_id

    async def keep(self, tx: Transaction) -> None:
        """The post above the desk's is told of an attempt where the rule says so."""
        if self.answer.raises_alarm:
            await _tell(tx, self._here, self._facility, self._about, self._case_id)


HeldBy = Callable[[Transaction, Here, UUID, date], Awaitable[Mapping[str, Held]]]
_kept: dict[AgencyKind, HeldBy] = {}


def keep_certificates(kind: AgencyKind, held_by: HeldBy) -> None:
    """Registers how an agency of a kind knows what somebody's account holds on a day: of the others nobody keeps certificates."""
    _kept[kind] = held_by


async def ask_first(
    tx: Transaction, here: Here, whose: UUID, situation: Situation, facility: str, about: UUID, case_id: UUID | None = None
) -> Sequence[Answer]:
    """What the rules say of an act that is about to be done at a facility; raises RuleRefuses with the gravest refusal. `whose`:
    the account whose certificates count."""
    if any(isinstance(rule, CertificateRequired) and rule.act is situation.act for rule in here.programme.rules.values()):
        held_by = _kept.get(here.kind)
        held = await held_by(tx, here, whose, here.day_of(situation.now)) if held_by is not None else None
        situation = replace(situation, held=held)
    said = answers(here.programme, situation)
    refused = next((one for one in said if one.verdict is Verdict.REFUSED), None)
    if refused is not None:
        raise RuleRefuses(refused, here, facility, about, case_id)
    if any(one.raises_alarm for one in said):
        await _tell(tx, here, facility, about, case_id)
    return said


def missing_words(here: Here, answer: Answer) -> tuple[str, ...]:
    """What an answer says is missing, in words: certificates by their names in the profile, facts and forms by those of pages."""
    named, forms = here.programme.certificates, here.programme.report_forms
    return tuple(
        str(named[one].name) if one in named else Coded(one, "report_form" if one in forms else "fact") for one in answer.missing
    )


def advice(here: Here, said: Iterable[Answer], language: str, without: Container[Message] = ()) -> list[Sentence]:
    """What rules propose and warn of, in sentences; a page that says something of it in its own way leaves that out."""
    found = []
    for one in said:
        kinds = [here.programme.facilities[kind].name.in_(language, "en") for kind in one.to_kinds]
        what = (*one.packages, *kinds) or missing_words(here, one)
        if one.verdict in (Verdict.WARNS, Verdict.PROPOSES) and one.message in ADVICE and one.message not in without:
            found.append(Sentence(ADVICE[one.message], {"what": what}))
    return found


async def _tell(tx: Transaction, here: Here, facility: str, about: UUID, case_id: UUID | None) -> None:
    await raise_alarm(tx, here, "breach", about, facility, Urgency.URGENT, case_id, to_supervisor=True)
