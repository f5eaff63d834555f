"""Holder tokens: made here or refused, for their time and their holder only (I2)."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from bursar.access import Access, Caller, Scope
from bursar.access.tokens import AUDIENCE, Claims, Expired, NotOurs, sign, verify
from bursar.platform.errors import Denied, Invalid
from bursar.trail import Trail
from tests.access.conftest import WHO, make

SECRET = b"s" * 32
NOW = 1_800_000_000


def claims(**changes) -> Claims:
    said = {"sub": "ada", "iss": "api:app", "aud": AUDIENCE, "iat": NOW, "nbf": NOW}
    return Claims(**said | {"exp": NOW + 60} | changes)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: object, payload: object, secret: bytes = SECRET, digest=hashlib.sha256) -> str:
    """A token of any header and payload, with a signature that is right for its secret."""
    parts = [b64(p if isinstance(p, bytes) else json.dumps(p).encode()) for p in (header, payload)]
    signature = hmac.new(secret, ".".join(parts).encode(), digest).digest()
    return ".".join([*parts, b64(signature)])


HEADER = {"alg": "HS256", "kid": "k", "typ": "JWT"}
PAYLOAD = {"sub": "ada", "iss": "a", "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 60}


def check(text: str, now_s: int = NOW) -> Claims:
    return verify(text, {"k": SECRET}, now_s)


def test_a_token_says_what_it_was_made_to_say():
    assert check(sign(claims(), "k", SECRET)) == claims()
    assert check(forge(HEADER, PAYLOAD)).sub == "ada"


@pytest.mark.parametrize(
    "text",
    [
        forge(HEADER | {"alg": "none"}, PAYLOAD),
        forge(HEADER | {"alg": "none"}, PAYLOAD).rpartition(".")[0] + ".",
        forge(HEADER | {"alg": "HS512"}, PAYLOAD, digest=hashlib.sha512),
        forge(HEADER | {"alg": "HS384"}, PAYLOAD),
        forge(HEADER | {"alg": "RS256"}, PAYLOAD),
        forge(HEADER | {"alg": None}, PAYLOAD),
        forge({"kid": "k"}, PAYLOAD),
        forge(HEADER, PAYLOAD, b"another secret of thirty-two byte"),
        forge(HEADER, PAYLOAD, b""),
        forge(HEADER | {"kid": "other"}, PAYLOAD),
        forge(HEADER | {"kid": None}, PAYLOAD),
        forge(HEADER | {"kid": ["k"]}, PAYLOAD),
        forge({"alg": "HS256"}, PAYLOAD),
        forge(HEADER | {"crit": ["b64"], "b64": False}, PAYLOAD),
        forge(HEADER | {"jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, PAYLOAD, b"x" * 32),
        forge(HEADER, PAYLOAD | {"aud": "other"}),
        forge(HEADER, PAYLOAD | {"aud": [AUDIENCE]}),
        forge(HEADER, PAYLOAD | {"sub": 7}),
        forge(HEADER, PAYLOAD | {"exp": "never"}),
        forge(HEADER, PAYLOAD | {"exp": True}),
        forge(HEADER, PAYLOAD | {"exp": NOW + 60.5}),
        forge(HEADER, PAYLOAD | {"nbf": NOW + 6}),
        forge(HEADER, PAYLOAD | {"iat": NOW + 6}),
        *(forge(HEADER, {k: v for k, v in PAYLOAD.items() if k != gone}) for gone in PAYLOAD),
        forge(HEADER, b"no json"),
        forge(HEADER, b"\xff\xfe"),
        forge(HEADER, [1]),
        forge(b"no json", PAYLOAD),
        forge([1], PAYLOAD),
        forge(b"[" * 2000, b"1"),
        forge(HEADER, PAYLOAD | {"sub": "a" * 4096}),
        forge(HEADER, PAYLOAD) + "\n",
        "." + forge(HEADER, PAYLOAD),
        "",
        "..",
    ],
)
def test_what_we_did_not_make_is_refused(text):
    with pytest.raises(NotOurs):
        check(text)


def test_a_changed_part_breaks_the_signature():
    head, _, signature = forge(HEADER, PAYLOAD).split(".")
    other = forge(HEADER, PAYLOAD | {"sub": "bob"}).split(".")[1]
    with pytest.raises(NotOurs):
        check(f"{head}.{other}.{signature}")


@given(st.text(max_size=60) | st.binary(max_size=60).map(b64))
def test_noise_is_refused(noise):
    for text in (noise, f"{noise}.{noise}.{noise}", f"{noise}.e30." + "a" * 43):
        with pytest.raises(NotOurs):
            check(text)


def test_a_token_is_good_from_5_s_before_its_beginning_to_its_end_and_no_longer():
    text = sign(claims(), "k", SECRET)
    with pytest.raises(NotOurs):
        check(text, NOW - 6)
    check(text, NOW - 5)
    check(text, NOW + 59)
    with pytest.raises(Expired):
        check(text, NOW + 60)


def test_who_forges_is_not_told_that_a_token_has_expired():
    with pytest.raises(NotOurs):
        check(forge(HEADER, PAYLOAD, b"x" * 32), NOW + 1000)
    with pytest.raises(NotOurs):
        check(forge(HEADER, PAYLOAD | {"aud": "other"}), NOW + 1000)


# --- issued and taken ------------------------------------------------------------------------


async def code_of(access: Access, text: str) -> str:
    with pytest.raises(Denied) as caught:
        await access.authenticate(text)
    return caught.value.code


async def test_a_token_opens_its_holders_doors_in_every_process(access, other):
    token = await access.issue_token("ada", actor="api:app")
    for process in (access, other):
        assert await process.authenticate(token.text) == Caller(
            "api:holder", frozenset({Scope.HOLDER}), None, "ada", 10
        )


async def test_the_text_of_a_token_is_shown_by_nothing_but_its_field(access):
    token = await access.issue_token("ada", actor="api:app")
    assert token.text not in repr(token) + str(token) + pretty_repr(token)
    assert repr((await access._lease.current()).live).count("secret=") == 0


async def test_a_token_lasts_as_long_as_was_asked(access, clock):
    before = datetime.now(UTC)
    token = await access.issue_token("ada", ttl_s=60, actor="api:app")
    after = datetime.now(UTC)
    assert before + timedelta(seconds=59) < token.expires_at < after + timedelta(seconds=61)
    access._lease._held.until = clock.at + 1000
    clock.at += 50
    await access.authenticate(token.text)
    clock.at += 20
    assert await code_of(access, token.text) == "token_expired"


@pytest.mark.parametrize("ttl_s", [0, -1, 86_401, 1.5, True])
async def test_a_token_lasts_a_second_to_a_day(access, ttl_s):
    with pytest.raises(Invalid) as caught:
        await access.issue_token("ada", ttl_s=ttl_s, actor="api:app")
    assert caught.value.code == "token_ttl"


@pytest.mark.parametrize("holder", ["", "a\nb", "a" * 201, None])
async def test_a_token_is_for_somebody(access, holder):
    with pytest.raises(Invalid) as caught:
        await access.issue_token(holder, actor="api:app")
    assert caught.value.code == "external_id"


async def test_the_longest_id_makes_a_token_that_is_not_too_long(access):
    holder = "🦊" * 200
    token = await access.issue_token(holder, ttl_s=86_400, actor="api:" + "🦊" * 100)
    assert (await access.authenticate(token.text)).holder == holder


async def test_processes_that_need_the_first_secret_at_once_make_one(pool, clock, database):
    crowd = [make(pool, clock) for _ in range(6)]
    tokens = await asyncio.gather(*(one.issue_token("ada", actor="api:app") for one in crowd))
    for token in tokens:
        for one in crowd:
            await one.authenticate(token.text)
    with psycopg.connect(database.owner_url) as owner:
        assert owner.execute("select count(*) from bursar.token_secrets").fetchone() == (1,)
    for one in crowd:
        await one.close()


async def test_after_a_rotation_old_tokens_are_good_for_the_overlap(access, other, clock):
    old = await access.issue_token("ada", ttl_s=86_400, actor="api:app")
    await access.rotate_token_secret(overlap_s=3600, **WHO)
    for process in (access, other):
        await process.authenticate(old.text)
        process._lease._held.until = clock.at + 10_000
    clock.at += 1
    new = await access.issue_token("ada", ttl_s=86_400, actor="api:app")
    for process in (access, other):
        await process.authenticate(old.text)
        await process.authenticate(new.text)
    clock.at += 3610
    for process in (access, other):
        assert await code_of(process, old.text) == "credential_invalid"
        await process.authenticate(new.text)


async def test_without_overlap_every_token_ends_at_once(access, other):
    old = await access.issue_token("ada", actor="api:app")
    await other.authenticate(old.text)
    await access.rotate_token_secret(overlap_s=0, **WHO)
    for process in (access, other):
        assert await code_of(process, old.text) == "credential_invalid"
        fresh = await process.issue_token("ada", actor="api:app")
        await access.authenticate(fresh.text)


async def test_a_token_signed_while_a_secret_is_new_is_known_to_who_has_not_heard_of_it(
    pool, clock, access
):
    """The old secret signs until every process knows the new one."""
    await access.issue_token("ada", actor="api:app")
    deaf = make(pool, clock)
    before = await deaf._lease.current()

    async def no_wait(seconds: float) -> None:
        pass

    hasty = make(pool, clock, sleep=no_wait)
    await hasty.rotate_token_secret(overlap_s=3600, **WHO)
    token = await hasty.issue_token("ada", actor="api:app")
    assert (await deaf.authenticate(token.text)).holder == "ada"
    assert await deaf._lease.current() is before
    await deaf.close()
    await hasty.close()


async def test_a_rotation_is_on_the_record_without_the_secret(access, database):
    await access.rotate_token_secret(overlap_s=60, **WHO)
    [act] = (await Trail(access._database).acts()).items
    assert (act.act, act.subject, act.after["overlap_s"]) == (
        "token_secret.rotate", "token_secret", 60,
    )  # fmt: skip
    with psycopg.connect(database.owner_url) as owner:
        [[kid]] = owner.execute("select kid from bursar.token_secrets").fetchall()
    assert act.after == {"kid": kid, "overlap_s": 60}
