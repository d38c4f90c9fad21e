"""What the closed lists of a complaint are called on screen; every word is marked for the catalogues."""

from collections.abc import Mapping

from shared.kit.i18n import mark as _

WORDS: Mapping[str, Mapping[str, str]] = {
    "withdrawn_where": {"station": _("At the station"), "court": _("In court"), "not_known": _("Not known")},
    "asked_by": {
        "she": _("The complainant"), "family": _("The family"), "accused_side": _("The side of the accused"),
        "other": _("Somebody else"), "not_known": _("Not known"),
    },
    "why_reopened": {
        "she_asks": _("The complainant asks for it"), "was_pressed": _("It was withdrawn under pressure"),
        "happened_again": _("It happened again"), "law_asks": _("The law asks for it"), "other": _("Another reason"),
    },
    "topic": {
        "her_rights": _("The complainant’s rights"), "care_without_report": _("Care needs no police report"),
        "statement": _("How a statement is taken"), "medical_report": _("The medical report, and who gets it"),
        "protection": _("Protection, and orders of a court"), "court_steps": _("What happens in court, and how long it takes"),
        "legal_aid": _("Legal aid"), "costs": _("What it costs, and what is free"),
        "may_withdraw": _("It may be stopped, and opened again"),
    },
    "how_told": {
        "when_she_came": _("on a visit here"), "in_safe_hours": _("in the safe hours"),
        "by_her_word": _("by telephone, by the word that was agreed"),
    },
    "complaint_state": {
        "open": _("The complaint goes on"), "withdrawn": _("The complaint was withdrawn"), "ended": _("There is a verdict"),
    },
    "complaint_gap": {
        "reopened_without_withdrawal": _(
            "It was opened again, and no withdrawal before that stands here: enter it, or look at the times."
        ),
        "withdrawn_twice": _("It was withdrawn twice, and not opened again between: look at the times."),
        "after_the_verdict": _("Something was entered with a time after the verdict: look at the times."),
    },
}  # fmt: skip
