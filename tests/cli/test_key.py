"""``bursar key`` and ``bursar token``: secrets alone on standard output, never in lists (I2)."""

import pytest

from bursar.access.credential import is_secret
from tests.cli.conftest import Done, Run

ADA = ("key", "add", "--owner", "ada", "--name", "laptop")
WHY = ("--reason", "because")


def add(bursar: Run, *more: str) -> Done:
    return bursar(*ADA, "--scope", "admin", *more)


def test_a_secret_is_alone_on_standard_output(bursar: Run) -> None:
    made = add(bursar)
    assert made.code == 0
    assert is_secret(made.out.removesuffix("\n"))
    assert made.err.splitlines() == [
        "key_1: laptop of ada, may admin",
        "this is the only time that its secret is told",
    ]


def test_a_key_for_a_program_is_one_object(bursar: Run) -> None:
    made = bursar(
        *ADA, "--scope", "viewer", "--scope", "ingest", "--per-minute", 60,
        "--expires", "2126-01-01", "--json",
    ).json  # fmt: skip
    assert is_secret(made["secret"])
    assert made["key"]["scopes"] == ["ingest", "viewer"]
    assert (made["key"]["per_minute"], made["key"]["expires_at"]) == (60, "2126-01-01T00:00:00Z")


def test_lists_have_no_secrets(bursar: Run) -> None:
    assert "no keys" in bursar("key", "list").out
    secret = add(bursar).out.strip()
    for shown in (bursar("key", "list"), bursar("key", "list", "--json")):
        assert "laptop" in shown.out
        assert secret not in shown.out + shown.err
    [key] = bursar("key", "list", "--json").json["items"]
    assert key["last_used_at"] is None


def test_a_key_is_rotated_and_revoked(bursar: Run) -> None:
    old = add(bursar).out
    turned = bursar("key", "rotate", "key_1", "--overlap", "24h", *WHY)
    assert is_secret(turned.out.strip())
    assert turned.out != old
    assert "the old secret works until " in turned.err
    assert "old secret" not in bursar("key", "rotate", "1", "--overlap", "0", *WHY).err
    assert bursar("key", "revoke", "1", *WHY).out.startswith("key_1: revoked 2")
    assert "no keys" in bursar("key", "list").out
    assert "revoked 2" in bursar("key", "list", "--all").out
    told = bursar("key", "rotate", "1", "--overlap", "0", *WHY, "--json")
    assert (told.code, told.error["code"]) == (4, "key_ended")


def test_a_token_is_alone_on_standard_output(bursar: Run) -> None:
    made = bursar("token", "issue", "ada", "--ttl", "1h")
    assert (made.code, made.out.count(".")) == (0, 2)
    assert made.err.startswith("a token for ada, good until ")
    told = bursar("token", "rotate", "--overlap", "15m", *WHY)
    assert told.out == "tokens have a new secret; those made before are good for 15m at most\n"
    assert "no longer" in bursar("token", "rotate", "--overlap", "0", *WHY).out


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        ((*ADA, "--scope", "root"), 2, "key_invalid"),
        ((*ADA, "--scope", "holder"), 2, "key_invalid"),
        (ADA, 2, "usage"),
        ((*ADA, "--scope", "admin", "--expires", "soon"), 2, "option_invalid"),
        ((*ADA, "--scope", "admin", "--expires", "2020-01-01"), 2, "key_invalid"),
        ((*ADA, "--scope", "admin", "--reason", ""), 2, "posting_voice"),
        (("key", "revoke", "7", *WHY), 3, "key_unknown"),
        (("key", "revoke", "seven", *WHY), 2, "option_invalid"),
        (("key", "rotate", "7", *WHY), 2, "usage"),
        (("key", "rotate", "7", "--overlap", "long", *WHY), 2, "option_invalid"),
        (("key", "rotate", "7", "--overlap", "31d", *WHY), 2, "overlap"),
        (("token", "issue", "ada", "--ttl", "0"), 2, "token_ttl"),
        (("token", "issue", "ada", "--ttl", "25h"), 2, "token_ttl"),
        (("token", "issue", ""), 2, "external_id"),
    ],
)
def test_what_cannot_be_is_refused(
    bursar: Run, given: tuple[str, ...], code: int, name: str
) -> None:
    told = bursar(*given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")
    assert bursar("key", "list", "--all", "--json").json["items"] == []
