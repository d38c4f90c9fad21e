"""What the network file itself says of an agency: its facilities and the districts that they lie in."""

from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure


async def counts(_tx: Transaction, here: Here, _of: Period) -> Counts:
    """Facilities by place, those that are planned too, those that work day and night, and districts by the kind of facility that
    works there, as it stands now."""
    found = Counts.of(Measure.FACILITIES, Measure.DISTRICTS, Measure.PLACES_DAY_AND_NIGHT)
    places = here.entry.facilities
    for place in places:
        found.add(Measure.FACILITIES, place)
    at_work = {place: one for place, one in places.items() if not one.is_planned}
    for place, one in at_work.items():
        found.add(Measure.PLACES_DAY_AND_NIGHT, place, int(one.never_closes))
    for kind in sorted({kind for place in at_work if (kind := here.kind_of_place(place)) is not None}):
        districts = {one.district for place, one in at_work.items() if here.kind_of_place(place) == kind}
        found.add(Measure.DISTRICTS, None, len(districts), kind)
    found.add(Measure.DISTRICTS, None, len({one.district for one in at_work.values()}))
    return found
