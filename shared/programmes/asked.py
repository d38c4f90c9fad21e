"""Where each word of the vocabulary is asked about, and what is known there: what the features that do an act tell the rules of it.

The checks refuse a word anywhere else, because nobody would ever hear it there, and the handbook says of each where it may stand.
"""

from collections.abc import Mapping

from shared.contracts.casework.codes import CareClock, CareProduct
from shared.programmes import vocabulary
from shared.programmes.terms import Act, Fact

# What a rule about giving a product speaks of: its product, and the care whose window counts.
OF_ACT: dict[Act, tuple[CareProduct, CareClock]] = {
    Act.DISPENSE_EMERGENCY_CONTRACEPTION: (CareProduct.EMERGENCY_CONTRACEPTION, CareClock.EMERGENCY_CONTRACEPTION),
    Act.DISPENSE_PEP_STARTER: (CareProduct.PEP_STARTER, CareClock.PEP),
}
GIVING = frozenset(OF_ACT)

# --- facts ---------------------------------------------------------------------------------------------------------------

# What the feature that asks about an act can tell of it. A fact that nobody can show would refuse the act for ever.
_OF_A_CASE = frozenset({Fact.ASSENT, Fact.SAFE_ADULT, Fact.CAREGIVER_SUSPECTED})
_OF_AN_INCIDENT = _OF_A_CASE | {Fact.HURT_NOW}
TOLD_AT: Mapping[Act, frozenset[Fact]] = {
    Act.REFER: _OF_AN_INCIDENT, Act.CLOSE: _OF_AN_INCIDENT, Act.REGISTER_COMPLAINT: _OF_AN_INCIDENT,
    Act.HAND_OVER_TO_PROSECUTOR: _OF_AN_INCIDENT, Act.TAKE_STATEMENT: _OF_A_CASE, Act.ADMIT_TO_STAY: _OF_A_CASE,
    Act.EXAMINE: _OF_A_CASE | {Fact.POLICE_ORDER}, Act.SIGN_MEDICAL_REPORT: _OF_A_CASE | {Fact.SIGNED},
    Act.TAKE_MEDICAL_REPORT: _OF_A_CASE, Act.CONTINUE_STAY: frozenset({Fact.SUPERVISOR_AGREES}),
    Act.RETURN_TO_FAMILY: frozenset({Fact.SHE_AGREES, Fact.RISK_CHECKED}),
    Act.RETURN_PROPERTY: frozenset({Fact.RETURN_ASKED_FOR, Fact.HANDED_BACK, Fact.SIGNED}),
    Act.TELL_STATUS: frozenset({Fact.OWN_WORD, Fact.SAFE_PHONE}), Act.CALL_BACK: frozenset({Fact.MARKED_SAFE}),
    Act.DISPENSE_EMERGENCY_CONTRACEPTION: frozenset({Fact.SHE_AGREES}), Act.DISPENSE_PEP_STARTER: frozenset({Fact.SHE_AGREES}),
}  # fmt: skip
# What somebody who writes a breach down tells of it beside that.
TOLD_OF_A_BREACH: Mapping[Act, frozenset[Fact]] = {Act.RECEIVE: frozenset({Fact.POLICE_REPORT_DEMANDED, Fact.REQUEST_RECORDED})}
# What may be brought afterwards, because somebody is told that it is still to come: on the page of a request, and by the clock of
# an order. Only of the last it is known when it came, so only there a time may be set.
MAY_FOLLOW_AT: Mapping[Act, frozenset[Fact]] = {Act.REFER: TOLD_AT[Act.REFER], Act.EXAMINE: frozenset({Fact.POLICE_ORDER})}

# --- lines of a condition --------------------------------------------------------------------------------------------------

_OF_HER = frozenset({"child", "ages", "sexes"})
_OF_WHAT_WAS_DONE = frozenset({"incidents", "contexts", "within_h", "after_h"})
_AT = frozenset({"at"})
IN_GENERAL = _OF_HER | _OF_WHAT_WAS_DONE | _AT  # of what is proposed, and at the door
OF_A_PATHWAY = IN_GENERAL | {"packages"}  # where she is sent along one; where it is offered nobody has chosen any yet
LINES_AT: Mapping[Act, frozenset[str]] = {
    **dict.fromkeys((Act.REFER, Act.CLOSE, Act.HAND_OVER_TO_PROSECUTOR), OF_A_PATHWAY),
    Act.REGISTER_COMPLAINT: IN_GENERAL,
    **dict.fromkeys(
        (Act.TAKE_STATEMENT, Act.ADMIT_TO_STAY, Act.EXAMINE, Act.SIGN_MEDICAL_REPORT, Act.TAKE_MEDICAL_REPORT), _OF_HER | _AT
    ),
    **dict.fromkeys((Act.CONTINUE_STAY, Act.RETURN_PROPERTY, Act.CALL_BACK, Act.RECORD_SUSPECT, Act.TRAIN_OTHERS), _AT),
    **dict.fromkeys(GIVING, _OF_HER | _OF_WHAT_WAS_DONE),
}  # fmt: skip

# --- acts --------------------------------------------------------------------------------------------------------------------

# Asked before the act, by whoever does it: a refusal is a sentence, and a post is told where the rule says so.
BEFORE = frozenset(
    {
        Act.REGISTER_COMPLAINT, Act.TAKE_STATEMENT, Act.REFER, Act.CLOSE, Act.EXAMINE, Act.SIGN_MEDICAL_REPORT,
        Act.TAKE_MEDICAL_REPORT, Act.ADMIT_TO_STAY, Act.CONTINUE_STAY, Act.RETURN_PROPERTY, Act.CALL_BACK, Act.RECORD_SUSPECT,
        Act.HAND_OVER_TO_PROSECUTOR, Act.TRAIN_OTHERS,
    }
)  # fmt: skip
# What no feature does: somebody writes down that it was done, or tried.
WRITTEN_DOWN = frozenset(
    {Act.RECEIVE, Act.MEDIATE, Act.RETURN_PROPERTY, Act.RECORD_MORAL_OFFENCE, Act.STORE_ADDRESS, Act.LINK_FILES}
)
# What lets her in, and out: whoever comes is received, heard, examined and sheltered, and what cannot be ended stays open for ever.
IN_AND_OUT = frozenset({Act.RECEIVE, Act.REGISTER_COMPLAINT, Act.EXAMINE, Act.ADMIT_TO_STAY, Act.CLOSE})
# Where police do it, and it is asked about: they alone keep their people's certificates.
CERTIFIED_AT = (BEFORE - {Act.EXAMINE, Act.SIGN_MEDICAL_REPORT}) | GIVING
ACTS: Mapping[type[vocabulary.Rule], frozenset[Act]] = {
    vocabulary.CertificateRequired: CERTIFIED_AT,
    vocabulary.WithinWindow: GIVING | {Act.REFER},
    vocabulary.StockNeeded: GIVING,
    vocabulary.NeverReplacesReferral: GIVING,
    vocabulary.RepeatWarns: GIVING,
    vocabulary.RouteBy: frozenset({Act.ROUTE_CALL}),
    vocabulary.FormVersionRequired: frozenset({Act.TAKE_MEDICAL_REPORT}),
    vocabulary.BlockedAct: (BEFORE | WRITTEN_DOWN | GIVING | {Act.RETURN_TO_FAMILY, Act.TELL_STATUS}) - IN_AND_OUT,
    vocabulary.ActNeeds: frozenset(TOLD_AT) - {Act.CLOSE},
    vocabulary.BreachWhen: BEFORE | WRITTEN_DOWN,
}


def facts_at(act: Act, rule: type[vocabulary.Rule]) -> frozenset[Fact]:
    """The facts that are told of an act to a rule of a kind: what a breach is told with, to whatever may speak of one."""
    return TOLD_AT.get(act, frozenset()) | (
        TOLD_OF_A_BREACH.get(act, frozenset()) if rule is vocabulary.BreachWhen else frozenset()
    )
