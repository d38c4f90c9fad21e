from agencies import World
from desk_pages import PAGE_2, to_consent
from shift import officer

async def test_second_tap(world: World) -> None:
    one = await officer(world)
    page = await to_consent(one)
    form = page.form(page.path)
    for _ in range(2):
        page = await one.send(form, **PAGE_2)
        print(page.status, page.path)
    assert page.path.endswith("/refer"), page.words
