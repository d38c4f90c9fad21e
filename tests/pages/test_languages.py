"""What a page says is said in its language, refusals included, and what somebody typed is never taken for markup."""

from agencies import World
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.contracts.casework.codes import Role


async def test_errors_and_refusals_are_in_the_pages_language(world: World) -> None:
    police = world["police"]
    issued = await settled_account(police, "officer-1", Role.OFFICER)
    visitor = Visitor(police.app)
    await sign_in(visitor, issued, "officer-1")
    form = (await visitor.open("/me")).form("/me/language")
    await visitor.send(form, button=("language", "fr"))
    page = await visitor.open("/cases/new")
    assert 'lang="fr"' in page.text
    wrong = await visitor.send(page.form("/cases/new"), at_least=5)
    assert wrong.status == 422
    assert "Choisissez la tranche d’âge" in wrong.words
    gone = await visitor.open("/cases/01a20000-0000-7000-8000-000000000000")
    assert (gone.status, "Ce dossier n’existe pas." in gone.words) == (404, True)


async def test_what_was_typed_is_shown_as_it_was_typed(world: World) -> None:
    police = world["police"]
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, "inspector-1", Role.SUPERVISOR), "inspector-1")
    name = '<b onclick="x">hers</b>'
    for _ in range(2):
        form = (await visitor.open("/accounts/new")).form("/accounts/new")
        again = await visitor.send(form, name=name, role="officer", facility=form.choices["facility"][0])
    assert again.status == 422  # the refusal repeats the name
    for page in (again, await visitor.open("/accounts")):
        assert name not in page.text
        assert "&lt;b onclick" in page.text
