"""Signing up as AX does, until the switch says Clerk."""

from tests.integration.legacy.conftest import LegacyWorld
from tests.integration.migration.conftest import World as Migration


async def test_the_switch_works_at_once_and_signing_up_as_ax_does_stays(world: LegacyWorld) -> None:
    await world.invite(uses=3)
    await world.legacy()
    bff = await world.bff()
    reply = await bff.sign_up("Old@example.com", delivery="bearer")
    assert (reply.status, reply.content["status"]) == (201, "complete")
    assert await bff.signed_in(reply.content["token"])
    assert (await bff.login("Old@example.com")).content["user"]["authentication"] == "legacy"
    assert (await bff.sign_up("old@example.com")).code == "email_taken"
    assert (await bff.sign_up(password="short")).content["errors"][0]["field"] == "password"
    assert (await bff.sign_up(invite="unknown")).content["errors"][0]["field"] == "invite"
    assert await world.uses_left() == 2
    assert await world.people() == (0, 2)
    await world.switch("signup", "clerk")
    assert (await bff.sign_up()).content["status"] == "needs_email_verification"


async def test_an_account_that_somebody_tried_to_sign_up_with_is_as_it_was(world: LegacyWorld) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    await world.legacy("a@xn--bcher-kva.de")
    bff = await world.bff()
    assert (await bff.sign_up("a@bücher.de")).status == 201
    assert (await bff.login("a@xn--bcher-kva.de")).content["status"] == "complete"


async def test_whoever_signs_up_with_another_form_of_an_address_keeps_nobody_out_of_clerk(
    world: LegacyWorld,
) -> None:
    """As Clerk gives an address to one user, the import of its owner would be refused."""
    await world.switch("signup", "clerk")
    await world.invite(uses=2)
    owner = await world.legacy("y@example.net")
    bff = await world.bff()
    assert [(await bff.sign_up(f"{letter}@example.net")).status for letter in "ｙｚ"] == [201, 201]
    await Migration(world.url, world.connection, world.emulator).run(emails=("Y@example.net",))
    assert await world.connection.fetchval("SELECT clerk_id FROM users WHERE id::text = $1", owner)
