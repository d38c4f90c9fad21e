"""What the closed lists of the register of property are called on screen."""

from collections.abc import Mapping

from shared.kit.i18n import mark as _

WORDS: Mapping[str, Mapping[str, str]] = {
    "thing": {
        "money": _("Money"), "jewellery": _("Jewellery"), "clothing": _("Clothes"), "documents": _("Papers"),
        "telephone": _("Telephone"), "keys": _("Keys"), "medicine": _("Medicine"), "other": _("Another thing"),
    },
    "property_act": {
        "taken_in": _("Taken in"), "handed_over": _("Handed over to another officer"), "asked_back": _("Was asked for"),
        "refused": _("Was not given back when it was asked for"), "returned": _("Given back against a sign"),
    },
    "property_no": {
        "evidence": _("It is evidence"), "court_order": _("A court ordered it"), "not_found": _("It was not found"),
        "nobody_there": _("Nobody was there who could give it back"), "other": _("Another reason"),
    },
    "property_sign": {"signature": _("By signature"), "thumb": _("By thumb print")},
    "property_gap": {
        "holder_differs": _("Whoever handed it over is not whoever had it: an entry is missing, or look at the times."),
        "after_the_return": _("Something was entered with a time after it was given back: look at the times."),
    },
}  # fmt: skip
