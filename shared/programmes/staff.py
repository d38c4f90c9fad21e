"""Who works there, and what they must have been found able to do. Trained is not certified."""

from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar

from shared.programmes.situation import Held
from shared.programmes.terms import Count, Days, Id, Named, RoleCode, Sourced, YesNo


class Standing(StrEnum):
    """How a certificate stands on a day."""

    NONE = "none"
    TRAINED = "trained"  # has attended, and is not certified
    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Certificate(Sourced):
    """A paper that says somebody was found able: by whom, after which course, how long. What it is needed for, the rules say."""

    figures: ClassVar[tuple[str, ...]] = ("course_days", "topics", "valid_days", "supervised_acts")

    name: Named
    certified_by: Id | None = None  # the agency that issues it
    course_days: Days | None = None
    topics: Count | None = None
    supervised_acts: Count | None = None  # done under supervision before it is issued
    valid_days: Days | None = None  # None: until it is revoked
    trained_by: Id | None = None  # the certificate that whoever trains for this one must hold; itself: each may train the next
    trainer_of_trainers: YesNo = False

    def standing(self, held: Held | None, on: date) -> Standing:
        """How it stands on a day, held as it is held."""
        if held is None or (held.trained_on is None and held.certified_on is None):
            return Standing.NONE
        if held.revoked_on is not None and held.revoked_on <= on:
            return Standing.REVOKED
        if held.certified_on is None or held.certified_on > on:
            return Standing.TRAINED
        ends = self.ends_on(held)
        return Standing.EXPIRED if ends is not None and on > ends else Standing.VALID

    def ends_on(self, held: Held) -> date | None:
        """The last day on which it is good, by the programme or by its own words; None where it has no end."""
        if self.valid_days is None or held.certified_on is None:
            return held.valid_until
        by_the_programme = held.certified_on + timedelta(days=self.valid_days)
        return min(by_the_programme, held.valid_until or by_the_programme)


class StaffRole(Sourced):
    """One kind of person at a facility."""

    figures: ClassVar[tuple[str, ...]] = ("count", "per_facility")

    name: Named
    agency: Id
    role: RoleCode  # of their accounts
    count: Count | None = None  # in the whole programme
    per_facility: Count | None = None
    certificates: tuple[Id, ...] = ()  # that they are to hold
    is_seconded: YesNo = False  # sits in another agency's office, and keeps a file of its own


def may_train(certificate: Certificate, of_trainer: Certificate | None, trainer: Held | None, on: date) -> bool:
    """Whether a trainer may train for this certificate on a day. A certificate that names no trainer's is taught by anybody."""
    if certificate.trained_by is None:
        return True
    return of_trainer is not None and of_trainer.standing(trainer, on) is Standing.VALID
