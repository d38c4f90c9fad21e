"""When something happened that is entered afterwards: the two fields of the macro `when`, read alike by every form with them."""

from datetime import date, datetime, time
from typing import Any

from shared.casework.cases.commands import WrongTime, happened
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.bodies import Body
from shared.kit.forms import Filled
from shared.kit.i18n import Times
from shared.kit.i18n import mark as _

AFTERWARDS_WORDS = {
    "on_date": _("Choose the day, or leave day and time empty."),
    "at_time": _("Type both the day and the time, such as 08:15; or leave both empty."),
}


class Afterwards(Body):
    """A form that may say when it happened."""

    on_date: date | None = None
    at_time: time | None = None

    def happened_at(self, times: Times) -> datetime | None:
        """When it happened, by the wall clock here; None where it happens now. Raises MissingDetail where only half is said, and
        WrongTime."""
        if self.on_date is None and self.at_time is None:
            return None
        if self.on_date is None or self.at_time is None:
            raise MissingDetail("at_time", "Give both the day and the time, or leave both empty.")
        try:
            moment = times.moment(self.on_date, self.at_time)
        except ValueError as error:
            raise MissingDetail("on_date", "Choose the day, or leave day and time empty.") from error
        return happened("occurred_at", moment, times.now)


def when_of(form: Filled[Any], times: Times) -> datetime | None:
    """When it happened, of a form with such fields; what is wrong with them is named beside them."""
    if form.model is None:
        return None
    try:
        at: datetime | None = form.model.happened_at(times)
    except MissingDetail as error:
        form.error(error.field, error)
    except WrongTime as error:
        form.error(error.part, error)
    else:
        return at
    return None
