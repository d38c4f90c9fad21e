"""A programme is a country profile: limits, windows of care, consent presets, languages, each with its source. Data, never code."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PROFILES = Path(__file__).parent / "profiles"
CONSENT_DAYS = (30, 91, 182, 365)  # how long she may say that what she agrees to holds: few and plain, read to her
EXTENDS_MAX = 5  # profiles above one another; a longer chain is a circle or a mistake


class ProfileError(Exception):
    """The profile cannot be used; one sentence with the field and what was expected."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ByUrgency(_Part):
    """A limit in hours for each urgency."""

    acute: float = Field(gt=0)
    urgent: float = Field(gt=0)
    routine: float = Field(gt=0)

    def of(self, urgency: str) -> timedelta:
        """The limit as a duration."""
        return timedelta(hours=float(getattr(self, urgency)))


class Limits(_Part):
    """How long something may take before somebody is told. All in hours."""

    delivered_h: ByUrgency  # signed for by the recipient's machine
    acknowledge_h: ByUrgency  # seen by a person there
    stalled_h: ByUrgency  # accepted, and nothing since
    lapse_h: ByUrgency  # still open
    ladder_step_h: ByUrgency  # an alarm that nobody takes goes one post up
    window_warning_h: float = Field(gt=0)  # a window of care that ends within this


class Windows(_Part):
    """Windows of care in hours from the earliest moment of the incident; null where no rule is given."""

    pep_h: float | None
    emergency_contraception_h: float | None
    forensic_sample_h: float | None
    hepatitis_b_vaccine_h: float | None


class Programme(_Part):
    """One profile, with everything that it extends merged in."""

    id: str
    name: str
    extends: str | None = None
    languages: tuple[str, ...] = Field(min_length=1)
    time_zone: str = Field(min_length=1)  # IANA name; what the clocks on the walls show
    limits: Limits
    windows: Windows
    report_forms: dict[str, int] = Field(default_factory=dict)  # the country's medical report forms: code, version in use
    consent_presets: dict[str, tuple[str, ...]]
    consent_days: int | None = None  # what her answer holds for unless she says otherwise, of CONSENT_DAYS; null: until taken back
    sources: dict[str, str]

    @field_validator("consent_days")
    @classmethod
    def _asked_for(cls, days: int | None) -> int | None:
        if days is not None and days not in CONSENT_DAYS:
            raise ValueError(f"it is none of {', '.join(map(str, CONSENT_DAYS))}, which the page that asks her offers")
        return days

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("it is not the IANA name of a time zone, as Africa/Lusaka is")
        return name


def load_programme(programme_id: str, folder: Path = PROFILES) -> Programme:
    """The profile by its id; raises ProfileError."""
    try:
        return Programme.model_validate(_merged(programme_id, folder, 0))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"Programme '{programme_id}': {place}: {first['msg'].lower()}.") from None


def _merged(programme_id: str, folder: Path, depth: int) -> dict[str, Any]:
    path = folder / f"{programme_id}.yaml"
    if depth > EXTENDS_MAX:
        raise ProfileError(f"Programme '{programme_id}' extends itself in a circle.")
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ProfileError(f"There is no programme '{programme_id}'; known are: {known}.")
    try:
        own = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ProfileError(f"Programme '{programme_id}' is not YAML{where}.") from None
    if not isinstance(own, dict):
        raise ProfileError(f"Programme '{programme_id}' holds no fields.")
    base = _merged(own["extends"], folder, depth + 1) if own.get("extends") else {}
    return _over(base, own)


def _over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(base[key], own[key])
        for key in base.keys() & own.keys()
        if isinstance(base[key], dict) and isinstance(own[key], dict)
    }
    return {**base, **own, **both}
