"""The routing list on paper has every district with its desks in the order of the chain, and the number to telephone."""

from printed import lines_of

from services.police.hotline.routing_list import District, ListText, list_pdf

HUYE = District("Huye", (("Tumba gender desk", "000 100 021"), ("Ngoma gender desk (town)", "")))
NYANZA = District("Nyanza", (("Busasamana gender desk", "000 100 037"),))


def listed(*districts: District) -> list[str]:
    rules = ("Never leave a call without a desk.",)
    return lines_of(list_pdf(ListText("Calls to 3512: which desk", rules, districts, "no number known", "Printed today.")))


def test_each_district_has_its_desks_with_their_numbers_in_their_order() -> None:
    assert listed(HUYE, NYANZA) == [
        "Calls to 3512: which desk",
        "Never leave a call without a desk.",
        "Huye",
        "1. Tumba gender desk: 000 100 021",
        "2. Ngoma gender desk (town): no number known",
        "Nyanza",
        "1. Busasamana gender desk: 000 100 037",
        "Printed today.",
    ]


def test_a_list_of_several_pages_leaves_nobody_out() -> None:
    many = [District(f"District {n}", HUYE.desks) for n in range(20)]  # a page holds twelve or so
    found = listed(*many)
    assert [line for line in found if line.startswith("District")] == [one.name for one in many]
    assert found.count("1. Tumba gender desk: 000 100 021") == len(many)
