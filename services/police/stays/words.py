"""What the closed lists of a stay are called on screen."""

from collections.abc import Mapping

from shared.kit.i18n import mark as _

WORDS: Mapping[str, Mapping[str, str]] = {
    "stay_fact": {
        "planned": _("Where to afterwards is agreed"), "plan_dropped": _("The plan holds no more"),
        "hospital_out": _("Went to the hospital"), "hospital_back": _("Came back from the hospital"),
        "extended": _("A supervisor extended the stay"), "left": _("Left"),
    },
    "stay_act": {
        "admit": _("Somebody stays here"), "refused": _("No place is free"),
        "planned": _("Where to afterwards"), "plan_dropped": _("The plan holds no more"),
        "hospital_out": _("Goes to the hospital"), "hospital_back": _("Is back from the hospital"),
        "extended": _("Extend the stay"), "left": _("Leaves the centre"),
    },
    "stay_way": {
        "agency": _("To an organisation that has accepted"), "family": _("To the family"),
        "own_choice": _("Where the person who stays chooses"), "hospital": _("Stays in the hospital"), "other": _("Somewhere else"),
    },
    "stay_longer": {
        "no_place": _("No place has been found yet"), "not_safe": _("It is not safe to leave"), "in_care": _("Is being treated"),
        "in_court": _("Is heard in court"), "she_asks": _("The person who stays asks for it"), "other": _("Another reason"),
    },
    "stay_gap": {
        "back_without_out": _("Came back from the hospital, and no going there stands here: enter it, or look at the times."),
        "out_twice": _("Went to the hospital twice, and not back between: look at the times."),
        "after_the_end": _("Something was entered with a time after the end of the stay: look at the times."),
        "left_twice": _("Left twice: look at the times."),
    },
}  # fmt: skip
