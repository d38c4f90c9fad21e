"""Who plays in the demo: one agency of each kind that runs and that the programme lists, with the place at each where it happens,
from the programme itself.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

from services.kinds import MODULES
from services.staging import Person
from shared.casework.directory.network import AgencyEntry, Facility, Network, parse_network
from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import AgencyKind, FacilityMode, Role, ServicePackage
from shared.kit.errors import RefnetError
from shared.programmes.profile import ProfileError, Programme, load_programme
from shared.programmes.terms import SOURCE_LANGUAGE

OWN = Path(__file__).parent / "network.yaml"  # the network that the demo shows unless another programme is named
KINDS = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE)
BESIDE = (
    AgencyKind.PARTNER,
    AgencyKind.JUSTICE,
    AgencyKind.OVERSIGHT,
)  # run too where the programme lists them; the survivor of the demo asks them nothing
ASKED = {  # what is asked of the clinic and of the office, as far as it is offered there; the first must be
    AgencyKind.HEALTH: (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT),
    AgencyKind.SOCIAL_WELFARE: (ServicePackage.PSYCHOSOCIAL, ServicePackage.CHILD_PROTECTION),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One agency on the stage. `services` are those that the survivor asks for there."""

    agency: str
    place: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cast:
    """The whole of it. `form` is the country's medical report form with its version, where it has one."""

    network: Network
    programme: str
    language: str
    form: tuple[str, int] | None
    parts: dict[AgencyKind, Part]

    @property
    def agencies(self) -> dict[AgencyKind, str]:
        """The agencies by their kinds."""
        return {kind: part.agency for kind, part in self.parts.items()}

    def people(self, agency: str) -> list[Person]:
        """Who signs in there; the first is the desk's."""
        kind = self.network.agencies[agency].kind
        place = self.parts[kind].place
        return {
            AgencyKind.POLICE: [
                Person("officer", Role.OFFICER, place),
                Person("officer_2", Role.OFFICER, place),  # the next shift: whoever hands over does not take over
                Person("inspector", Role.SUPERVISOR, None),
                Person("admin", Role.ADMINISTRATOR, None),
            ],
            AgencyKind.HEALTH: [Person("nurse", Role.CLINICIAN, place), Person("in_charge", Role.SUPERVISOR, None)],
            AgencyKind.SOCIAL_WELFARE: [Person("worker", Role.SOCIAL_WORKER, place), Person("coordinator", Role.SUPERVISOR, None)],
            AgencyKind.PARTNER: [Person("intake", Role.SOCIAL_WORKER, place), Person("director", Role.SUPERVISOR, None)],
            AgencyKind.JUSTICE: [Person("clerk", Role.OFFICER, place), Person("registrar", Role.SUPERVISOR, None)],
            AgencyKind.OVERSIGHT: [Person("national_head", Role.SUPERVISOR, None)],
        }[kind]


def cast_of(named: str | None) -> Cast:
    """The cast of the demo's own network, or of a programme by its name or file; raises RefnetError where it has no such parts."""
    own = parse_network(yaml.safe_load(OWN.read_text()), OWN.name)
    try:
        programme = load_programme(named or own.programme)
    except ProfileError as error:
        raise RefnetError(str(error)) from None
    whole = own if programme.id == own.programme else network_of(programme, "demo", MODULES)
    parts = {kind: _part(kind, whole, programme) for kind in KINDS}
    parts |= {kind: part for kind in BESIDE if (part := _beside(kind, whole, programme)) is not None}
    chosen = {part.agency for part in parts.values()}
    content = whole.model_dump(mode="json", exclude_defaults=True)
    content["agencies"] = {agency: entry for agency, entry in content["agencies"].items() if agency in chosen}
    content["pairs"] = [pair for pair in content["pairs"] if chosen.issuperset(pair)]
    base = {parts[kind].agency for kind in KINDS}
    if sum(base.issuperset(pair) for pair in content["pairs"]) < len(KINDS):
        raise RefnetError(
            f"Programme '{programme.id}' cannot be shown as a demo: not every two of {', '.join(sorted(base))} have a pathway "
            "between them. Add it, or name another programme."
        )
    spoken = next((tag for tag in programme.languages if tag != SOURCE_LANGUAGE), SOURCE_LANGUAGE)
    form = next(((id_, one.version) for id_, one in programme.report_forms.items()), None)
    return Cast(parse_network(content, "of the demo"), named or programme.id, spoken, form, parts)


def _part(kind: AgencyKind, network: Network, programme: Programme) -> Part:
    wanted = ASKED.get(kind, ())
    for agency, entry in network.agencies.items():
        place = _place(entry, wanted, programme) if entry.kind is kind else None
        if place is not None:
            offered = entry.facilities[place].services
            return Part(agency, place, tuple(str(package) for package in wanted if package in offered))
    raise RefnetError(
        f"Programme '{programme.id}' cannot be shown as a demo: no {kind} facility that is online"
        f"{f' offers {wanted[0]}' if wanted else ''}. Add one to it, or name another programme."
    )


def _beside(kind: AgencyKind, network: Network, programme: Programme) -> Part | None:
    """An agency that the programme lists beside the three; None where it lists none with a line."""
    for agency, entry in network.agencies.items():
        place = _place(entry, (), programme) if entry.kind is kind else None
        if place is not None:
            return Part(agency, place)
    return None


def _place(entry: AgencyEntry, wanted: tuple[ServicePackage, ...], programme: Programme) -> str | None:
    """The first place with a line that offers the first thing that is wanted, or anything at all; one made for survivors first."""
    fitting = [
        id_ for id_, one in entry.facilities.items()
        if one.mode is FacilityMode.ONLINE and not one.is_planned and _offers(entry, one, wanted)
    ]  # fmt: skip
    return next(iter(sorted(fitting, key=lambda id_: not _is_specialist(id_, programme))), None)


def _offers(entry: AgencyEntry, place: Facility, wanted: tuple[ServicePackage, ...]) -> bool:
    """Whether a place offers the first thing that is wanted, or else anything; whoever only watches offers nothing anywhere."""
    return wanted[0] in place.services if wanted else bool(place.services) or entry.kind not in SERVING


def _is_specialist(place: str, programme: Programme) -> bool:
    named = programme.places.get(place)
    kind = programme.facilities.get(named.kind if named is not None else place.rpartition("_")[0])
    return kind is not None and kind.is_specialist
