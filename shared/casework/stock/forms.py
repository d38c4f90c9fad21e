"""What pages ask of products: codes as they stand on packs, and the batches of a parcel."""

from typing import Any

from shared.contracts.casework import events
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
