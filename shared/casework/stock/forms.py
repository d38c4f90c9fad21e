"""What pages ask of products: codes as they stand on packs, and the batches of a parcel."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field

from shared.casework.stock.domain import BY_HAND, CorrectionReason, EntryKind
from shared.contracts.casework import events
from shared.contracts.casework.codes import CareProduct
from shared.kit.bodies import Body
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

ROWS = 4  # of a parcel: more batches come in two
CAPITALS = ("batch", *(f"batch_{n}" for n in range(ROWS)))  # small letters are a way of typing
COUNT = _("Type how many lie there, as a number.")
STOCK_WORDS = {
    "product": _("Choose the product."), "batch": _("Type the batch as it stands on the pack: letters, digits and -."),
    "expires_on": _("Choose the day of expiry that stands on the pack."),
    "quantity": _("Type how many doses, as a number of 1 or more."),
}  # fmt: skip
REASON_MISSING = _("A correction needs its reason, and nothing else has one.")


class EntryForm(Body):
    """A line of a ledger as a page asks for it. Which way a correction goes says its kind."""

    product: CareProduct
    batch: events.BatchCode
    expires_on: date
    kind: EntryKind
    quantity: int = Field(ge=1, le=events.DOSES_MAX)
    reason: CorrectionReason | None = None
    about: UUID | None = None  # the line that was wrong, where a page asks for it
    facility: events.FacilityId

    @property
    def by_hand(self) -> dict[str, Any]:
        """The same as `ByHand` has it, a correction with its sign."""
        adds = self.reason in (None, CorrectionReason.COUNTED_MORE, CorrectionReason.TOO_FEW)
        about = {"about": self.about} if self.about is not None else {}
        return self.model_dump(exclude={"about"}) | about | {"quantity": self.quantity if adds else -self.quantity}


def entry(values: Values, words: Mapping[str, str]) -> Filled[EntryForm]:
    """A line as it was typed, with what is wrong in it."""
    form = fill(EntryForm, typed(values), words)
    asked = form.model
    if asked is not None and (asked.kind is EntryKind.CORRECTED) != (asked.reason is not None):
        form.error("reason", REASON_MISSING)
    if asked is not None and asked.kind not in BY_HAND:
        form.error("kind", words["kind"])
    return form


def typed(values: Values) -> Values:
    """Codes as they stand on packs."""
    return {name: [one.upper() for one in found] if name in CAPITALS else found for name, found in values.items()}


def parcel(values: Values) -> tuple[Filled[Any], tuple[events.Batch, ...]]:
    """The batches of a parcel as they were typed: `batch_0`, `expires_0`, `quantity_0` and so on; a row without a batch is none."""
    form: Filled[Any] = Filled(values)
    found = []
    for n in range(ROWS):
        if not form.value(f"batch_{n}"):
            continue
        names = {"batch": f"batch_{n}", "expires_on": f"expires_{n}", "quantity": f"quantity_{n}"}
        row = {name: values[field] for name, field in names.items() if field in values}
        one = fill(events.Batch, row, {**STOCK_WORDS, "quantity": COUNT})
        for name, error in one.errors.items():
            form.error(names[name], error)
        found += [one.model] if one.model is not None else []
    return form, tuple(found)
