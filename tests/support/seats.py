"""A police agency at whose units another agency has somebody posted, for tests of what holds for every page of an agency."""

from dataclasses import replace

from agencies import TestAgency, World

from shared.programmes.profile import load_programme


def posted_at_every_unit(world: World) -> TestAgency:
    """The world's police as they are, with Sierra Leone's seat of a ministry's worker under the roof of each unit."""
    before, sierra_leone = world["police"], load_programme("sl-fsu")
    known = before.here.programme
    seat = sierra_leone.facilities["ministry_seat"].model_copy(update={"colocated_with": "vsu_station"})
    parts = {
        "facilities": {**known.facilities, "ministry_seat": seat},
        "staff": {**known.staff, "ministry_worker": sierra_leone.staff["ministry_worker"]},
    }
    world.agencies["police"] = TestAgency(
        replace(before.here, programme=known.model_copy(update=parts)), before.parts, before.database
    )
    return world["police"]
