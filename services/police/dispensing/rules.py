"""What the programme says of products that police give: the one place where dispensing asks the profile.

A product is given only where the profile names the certificate that giving it needs. Whatever is refused here, care is not: each
sentence leads on to the request for it.
"""

from dataclasses import replace
from datetime import date, datetime

from shared.casework.cases.tables import Case, Incident
from shared.contracts.casework.codes import AgeBand, CareProduct, IncidentContext, IncidentType, Sex
from shared.kit.i18n import mark as _
from shared.programmes import vocabulary
from shared.programmes.care import Window
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Answer, Held, Message, Situation, Verdict
from shared.programmes.staff import Standing
from shared.programmes.terms import Act, Fact

ACTS = {
    CareProduct.EMERGENCY_CONTRACEPTION: Act.DISPENSE_EMERGENCY_CONTRACEPTION,
    CareProduct.PEP_STARTER: Act.DISPENSE_PEP_STARTER,
}
SENTENCES = {
    Message.WINDOW_PASSED: _("Too much time has passed, so it is not given any more. Care is never too late: send her."),
    Message.ACT_IS_BLOCKED: _("The programme does not have this given here. Care goes on: send her or him."),
    Message.AGE_ROUTES: _("At this age nothing is given before care. Send the child there at once."),
    Message.NEEDED_FIRST: _("Something must be known or done first that this programme asks for. Care goes on: send her."),
}
NOT_FOR_HIM = _("It is not for a boy or a man. He needs the same care: send him.")
ELSEWHERE = frozenset({Message.STOCK_NONE, Message.STOCK_NOT_COUNTED})  # the box says so itself, when a dose is taken


def products(programme: Programme) -> tuple[CareProduct, ...]:
    """What police of a programme give; nothing where it names no certificate for it."""
    return tuple(product for product in ACTS if certificates(programme, product))


def certificates(programme: Programme, product: CareProduct) -> tuple[str, ...]:
    """The certificates that giving a product needs."""
    return tuple(
        rule.certificate for rule in programme.rules.values()
        if isinstance(rule, vocabulary.CertificateRequired) and rule.act is ACTS[product]
    )  # fmt: skip


def window(programme: Programme, product: CareProduct) -> Window | None:
    """The window that the programme's rule holds a product to; None where no rule does."""
    rules = (one for one in programme.rules.values() if isinstance(one, vocabulary.WithinWindow) and one.act is ACTS[product])
    return next((programme.windows[one.window] for one in rules), None)


def standing(programme: Programme, certificate: str, held: Held, on: date) -> Standing:
    """How it stands on a day. Trained is not certified, and what the profile has dropped is nothing."""
    kind = programme.certificates.get(certificate)
    return kind.standing(held, on) if kind is not None else Standing.NONE


def asked(programme: Programme, product: CareProduct, case: Case, incident: Incident, at: datetime, held: Held) -> Situation:
    """What the rules are asked when a certified officer is about to give a product, to somebody who wants it."""
    needs = case.needs or {}
    return Situation(
        ACTS[product], at, incident.earliest_at, incident.latest_at,
        IncidentType(incident.incident_type) if incident.incident_type else None,
        frozenset(map(IncidentContext, incident.contexts or ())), AgeBand(needs.get("age_band", AgeBand.UNKNOWN)),
        Sex(needs.get("sex", Sex.UNKNOWN)), facts=frozenset({Fact.SHE_AGREES}),
        held=dict.fromkeys(certificates(programme, product), held),
    )  # fmt: skip


def is_for(programme: Programme, product: CareProduct, case: Case, at: datetime) -> bool:
    """Whether a product is for somebody like her or him at all, as the programme's rules say it; what is not known of her counts
    for her."""
    needs = case.needs or {}
    age, sex = AgeBand(needs.get("age_band", AgeBand.UNKNOWN)), Sex(needs.get("sex", Sex.UNKNOWN))
    situation = Situation(ACTS[product], at, age_band=age, sex=sex)
    blocked = (one for one in programme.rules.values() if isinstance(one, vocabulary.BlockedAct) and one.act is ACTS[product])
    return not any(one.when is None or one.when.holds(situation) is True for one in blocked)


def refusal(programme: Programme, situation: Situation) -> tuple[Answer, str] | None:
    """Why a product is not given, as the gravest rule and as a sentence; None where it may be.

    For time it is refused only where no instant of the incident's range lies within the window; what nobody knows of it refuses
    nothing (domain guide, section 3). An age that goes straight to a place of care is given nothing on the way there.
    """
    said = [one for one in answers(programme, situation) if one.verdict is Verdict.REFUSED and one.message not in ELSEWHERE]
    said += [one for one in answers(programme, replace(situation, act=Act.REFER)) if one.message is Message.AGE_ROUTES]
    if not said:
        return None
    first = said[0]
    rule = programme.rules[first.rule]
    is_his = isinstance(rule, vocabulary.BlockedAct) and rule.when is not None and rule.when.sexes == (Sex.MALE,)
    return first, NOT_FOR_HIM if is_his else SENTENCES.get(first.message, SENTENCES[Message.NEEDED_FIRST])
