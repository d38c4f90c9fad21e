"""What the codes of samples and their custody are called on pages."""

from collections.abc import Mapping

from shared.kit.i18n import mark as _

SAMPLES = {"swab": _("Swab"), "blood": _("Blood"), "urine": _("Urine"), "clothing": _("Clothing"), "other": _("Something else")}
CUSTODY = {
    "collected": _("Collected"), "sealed": _("Sealed"), "stored": _("Stored"), "handed_over": _("Handed over"),
    "returned": _("Given back to the patient"), "destroyed": _("Destroyed"),
}  # fmt: skip
CUSTODY_GAPS = {
    "not_collected": _("Something was done with it before it was collected: an entry is missing, or its time is wrong."),
    "not_sealed": _("It was handed over without a seal."),
    "seal_differs": _("The seal is another than the one that was put on it."),
    "holder_differs": _("Somebody had it of whom no hand-over stands here."),
    "after_the_end": _("Something was done with it after it was given back or destroyed."),
}
CUSTODY_WHYS = {
    "she_asks": _("The patient asks for it"), "time_passed": _("The time for which it is kept has passed"),
    "court_order": _("A court ordered it"),
}  # fmt: skip

WORDS: Mapping[str, Mapping[str, str]] = {
    "sample": SAMPLES, "custody": CUSTODY, "custody_gap": CUSTODY_GAPS, "custody_why": CUSTODY_WHYS,
}  # fmt: skip
