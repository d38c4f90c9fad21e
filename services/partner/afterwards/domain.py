"""What may be decided of a request that is open when its agreement ends. Nothing happens by itself: it is written down, and done by
a person with the acts that every referral has.
"""

from enum import StrEnum


class Plan(StrEnum):
    """What is to become of it. She is asked; none of these closes anything."""

    FINISHED_BEFORE = "finished_before"
    GOES_ON_HERE = "goes_on_here"
    ANOTHER_PLACE = "another_place"  # proposed to the desk that sent, which asks her
