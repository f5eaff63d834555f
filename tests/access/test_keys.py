"""API keys: told once, kept as hashes, rotated, revoked at once, on the record (I2)."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
from rich.pretty import pretty_repr

from bursar.access import Access, Caller, Scope
from bursar.access.credential import digest, is_secret, spell
from bursar.platform.errors import BursarError, Denied, Invalid, Missing, Rejected
from bursar.trail import Trail
from tests.access.conftest import WHO


async def add(access: Access, owner: str = "ada", scopes=("admin",), **options):
    return await access.add_key("laptop", owner, scopes, **WHO | options)


async def refused(access: Access, credential: str) -> str:
    with pytest.raises(Denied) as caught:
        await access.authenticate(credential)
    assert (caught.value.message, caught.value.fields) == ("the credential is not valid", {})
    return caught.value.code


async def test_a_key_opens_what_its_scopes_say(access):
    made = await add(access, scopes=["operator", "viewer"])
    assert await access.authenticate(made.secret) == Caller(
        "api:ada", frozenset({Scope.OPERATOR, Scope.VIEWER}), made.key.key_id, None, 1000
    )


async def test_a_key_may_have_a_rate_of_its_own(access):
    made = await add(access, per_minute=5)
    assert (await access.authenticate(made.secret)).per_minute == 5


async def test_a_new_key_works_in_every_process_once_it_is_told(access, other):
    first = await add(access)
    await other.authenticate(first.secret)
    second = await add(access)
    await other.authenticate(second.secret)


async def test_only_the_hash_is_kept(access, database):
    made = await add(access)
    with psycopg.connect(database.owner_url) as owner:
        [[kept]] = owner.execute("select secret_hash from bursar.api_key_secrets").fetchall()
    assert kept == digest(made.secret)


async def test_a_secret_is_shown_by_nothing_but_its_field(access):
    made = await add(access)
    assert made.secret not in repr(made) + str(made) + pretty_repr(made)
    acts = (await Trail(access._database).acts()).items
    assert made.secret[4:20] not in msgspec.json.encode(acts).decode()


async def test_every_credential_that_is_not_good_looks_alike(access):
    revoked = await add(access)
    await access.revoke_key(revoked.key.key_id, **WHO)
    unknown = spell(b"x" * 32)
    typo = revoked.secret[:-1] + ("A" if revoked.secret[-1] != "A" else "B")
    for credential in (revoked.secret, unknown, typo, "", "bsk_", "bsk_é" + "a" * 48, "a.b.c"):
        assert await refused(access, credential) == "credential_invalid"


async def test_a_key_ends_when_it_was_said_to(access, clock):
    made = await add(access, expires_at=datetime.now(UTC) + timedelta(hours=1))
    await access.authenticate(made.secret)
    held = access._lease._held
    held.until = clock.at + 4000  # no read comes in between: the end is known in memory
    clock.at += 3590
    await access.authenticate(made.secret)
    clock.at += 20
    assert await refused(access, made.secret) == "credential_invalid"


async def test_revoking_is_heard_everywhere_before_it_is_answered(access, other):
    made = await add(access)
    await other.authenticate(made.secret)
    ended = await access.revoke_key(made.key.key_id, **WHO)
    assert ended.revoked_at is not None
    assert await refused(other, made.secret) == "credential_invalid"
    assert await refused(access, made.secret) == "credential_invalid"


async def test_revoking_again_changes_nothing_and_still_waits(access, clock):
    made = await add(access)
    first = await access.revoke_key(made.key.key_id, **WHO)
    before = clock.at
    assert await access.revoke_key(made.key.key_id, **WHO) == first
    assert clock.at - before > 0.25
    acts = (await Trail(access._database).acts()).items
    assert [a.act for a in acts] == ["key.revoke", "key.add"]


async def test_a_rotated_secret_works_until_its_overlap_ends(access, other, clock):
    made = await add(access)
    turned = await access.rotate_key(made.key.key_id, overlap_s=3600, **WHO)
    for process in (access, other):
        for secret in (made.secret, turned.secret):
            assert (await process.authenticate(secret)).key_id == made.key.key_id
    assert turned.key.rotates_until is not None
    other._lease._held.until = clock.at + 4000
    clock.at += 3610
    assert await refused(other, made.secret) == "credential_invalid"
    await other.authenticate(turned.secret)


async def test_without_overlap_whatever_was_before_ends_at_once(access, other):
    made = await add(access)
    second = await access.rotate_key(made.key.key_id, overlap_s=3600, **WHO)
    third = await access.rotate_key(made.key.key_id, overlap_s=0, **WHO)
    assert third.key.rotates_until is None
    for process in (access, other):
        await process.authenticate(third.secret)
        for secret in (made.secret, second.secret):
            assert await refused(process, secret) == "credential_invalid"


async def test_a_later_rotation_never_lets_an_old_secret_work_longer(access):
    made = await add(access)
    second = await access.rotate_key(made.key.key_id, overlap_s=60, **WHO)
    third = await access.rotate_key(made.key.key_id, overlap_s=86_400, **WHO)
    live = (await access._lease.current()).live
    ends = [live.keys[digest(one.secret)].ends_at for one in (made, second, third)]
    assert ends[0] == second.key.rotates_until
    assert ends[1] == third.key.rotates_until
    assert ends[2] is None


async def test_the_hash_of_a_secret_that_no_longer_works_is_forgotten(access, database):
    def kept() -> set[bytes]:
        with psycopg.connect(database.owner_url) as owner:
            rows = owner.execute("select secret_hash from bursar.api_key_secrets").fetchall()
        return {row[0] for row in rows}

    made = await add(access)
    turned = await access.rotate_key(made.key.key_id, overlap_s=0, **WHO)
    assert kept() == {digest(turned.secret)}
    await access.revoke_key(made.key.key_id, **WHO)
    assert kept() == set()


async def test_what_has_ended_is_not_rotated(access, database):
    made = await add(access, expires_at=datetime.now(UTC) + timedelta(hours=1))
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            "update bursar.api_keys set made_at = now() - interval '2 h',"
            " expires_at = now() - interval '1 h'"
        )
    with pytest.raises(Rejected) as caught:
        await access.rotate_key(made.key.key_id, overlap_s=0, **WHO)
    assert caught.value.code == "key_ended"
    await access.revoke_key(made.key.key_id, **WHO)
    assert [k.key_id for k in await access.keys(everything=True)] == [made.key.key_id]
    assert await access.keys() == []


@pytest.mark.parametrize("key_id", [0, 99, -1, 2**63, "1", True])
async def test_a_key_that_is_not_there_is_missing(access, key_id):
    for act in (access.revoke_key(key_id, **WHO), access.rotate_key(key_id, overlap_s=0, **WHO)):
        with pytest.raises(Missing) as caught:
            await act
        assert caught.value.code == "key_unknown"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("scopes", {"scopes": ()}),
        ("scopes", {"scopes": "admin"}),
        ("scopes", {"scopes": ["admin", "root"]}),
        ("scopes", {"scopes": ["holder"]}),
        ("owner", {"owner": ""}),
        ("owner", {"owner": "holder"}),
        ("owner", {"owner": "cli:ada"}),
        ("owner", {"owner": " ada"}),
        ("owner", {"owner": "a\nb"}),
        ("name", {"name": "x" * 101}),
        ("per_minute", {"per_minute": 0}),
        ("per_minute", {"per_minute": True}),
        ("per_minute", {"per_minute": 100_000_001}),
        ("expires_at", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
        ("expires_at", {"expires_at": datetime(2120, 1, 1)}),  # noqa: DTZ001 - no zone, on purpose
    ],
)
async def test_what_cannot_be_a_key_is_refused(access, field, options):
    given = {"name": "laptop", "owner": "ada", "scopes": ["admin"]} | WHO | options
    with pytest.raises(Invalid) as caught:
        await access.add_key(**given)
    assert (caught.value.code, caught.value.fields["field"]) == ("key_invalid", field)
    assert await access.keys(everything=True) == []


@pytest.mark.parametrize("overlap_s", [-1, 30 * 86_400 + 1, 1.5, True])
async def test_an_overlap_is_whole_seconds(access, overlap_s):
    made = await add(access)
    for act in (
        access.rotate_key(made.key.key_id, overlap_s=overlap_s, **WHO),
        access.rotate_token_secret(overlap_s=overlap_s, **WHO),
    ):
        with pytest.raises(Invalid) as caught:
            await act
        assert caught.value.code == "overlap"


async def test_who_and_why_are_wanted(access):
    for act in (
        access.add_key("n", "ada", ["admin"], actor="cli:root", reason=""),
        access.revoke_key(1, actor="", reason="r"),
        access.rotate_key(1, overlap_s=0, actor="", reason="r"),
    ):
        with pytest.raises(BursarError) as caught:
            await act
        assert caught.value.code == "posting_voice"


async def test_what_is_done_to_keys_is_on_the_record(access):
    made = await add(access)
    await access.rotate_key(made.key.key_id, overlap_s=60, **WHO)
    await access.revoke_key(made.key.key_id, **WHO)
    acts = (await Trail(access._database).acts()).items
    assert [(a.act, a.subject) for a in acts] == [
        (act, f"key_{made.key.key_id}") for act in ("key.revoke", "key.rotate", "key.add")
    ]
    assert acts[0].before["revoked_at"] is None
    assert acts[0].after["revoked_at"] is not None


async def test_when_a_key_was_last_used_is_kept_and_never_moves_back(access, other, clock):
    made = await add(access)
    assert made.key.last_used_at is None
    await other.authenticate(made.secret)
    clock.at += 100
    await access.authenticate(made.secret)
    late = access._uses._seen[made.key.key_id]
    await access.close()
    await other.close()  # knows an earlier use, and writes it later
    [key] = await access.keys()
    assert key.last_used_at == late


def test_a_secret_is_known_by_its_spelling():
    secret = spell(bytes(range(32)))
    assert len(secret) == 53
    assert is_secret(secret)
    for n in range(len(secret)):
        typo = secret[:n] + ("x" if secret[n] != "x" else "y") + secret[n + 1 :]
        assert not is_secret(typo)
    assert not is_secret(secret + "\n")
