"""What the closed lists of an enquiry are called on screen."""

from collections.abc import Mapping

from shared.kit.i18n import mark as _

WORDS: Mapping[str, Mapping[str, str]] = {
    "claims_to_be": {
        "herself": _("The person whose case it is"), "husband": _("The husband or partner"), "parent": _("A parent"),
        "relative": _("Another relative"), "lawyer": _("A lawyer"), "official": _("An official"), "press": _("The press"),
        "other": _("Somebody else"), "not_said": _("Did not say"),
    },
}  # fmt: skip
