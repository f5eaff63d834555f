"""What is sent and how it is signed, against the standard's words and its own library (N3)."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bursar.notices.webhooks.model import Batch, Told
from bursar.notices.webhooks.signing import body_of, headers_of, spell
from bursar.notices.webhooks.verdict import Answer, judge, one_line, wait_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_signature_is_the_standards_own_example() -> None:
    """The vector of the specification's reference implementations, HMAC'ed by hand besides."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, [secret])
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    by_hand = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert by_hand == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-signature"] == f"v1,{by_hand}"
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["user-agent"].startswith("Bursar/")


def test_while_one_secret_replaces_another_both_have_signed() -> None:
    old, new, other = spell(b"o" * 32), spell(b"n" * 32), spell(b"x" * 32)
    now = datetime.now(UTC)
    headers = headers_of("id", now, b"{}", [new, old])
    for secret in (old, new):
        assert Webhook(secret).verify(b"{}", headers) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(b"{}", headers)


def test_a_body_says_what_happened_to_whom() -> None:
    batch = Batch(
        (
            Told("a", 1, "2026-11-01T00:00:00Z", {"asset": "coins", "amount": 5, "id": "false"}),
            Told("b", 2, "2026-11-02T00:00:00Z", {}),
            Told("c", None, "2026-11-03T00:00:00Z", {"alert": "x"}),
        ),
        "run_7",
    )
    body = json.loads(body_of("deposit", NOW, batch, {1: "ada"}))
    assert body == {
        "type": "deposit",
        "timestamp": "2026-11-21T12:00:00Z",
        "data": {
            "run": "run_7",
            "notices": [
                {"id": "a", "holder": "ada", "happened_at": "2026-11-01T00:00:00Z",
                 "asset": "coins", "amount": 5},
                {"id": "b", "holder": None, "happened_at": "2026-11-02T00:00:00Z"},
                {"id": "c", "holder": None, "happened_at": "2026-11-03T00:00:00Z", "alert": "x"},
            ],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "outcome", "detail"),
    [
        (200, "sent", ""),
        (204, "sent", ""),
        (299, "sent", ""),
        (301, "failed", "redirect"),
        (307, "failed", "redirect"),
        (400, "failed", "no"),
        (404, "failed", "no"),
        (410, "refused", "gone"),
        (429, "failed", "no"),
        (500, "failed", "no"),
        (101, "failed", "no"),
        (999, "failed", "no"),
    ],
)
def test_an_answer_is_an_outcome(status: int, outcome: str, detail: str) -> None:
    judged = judge(Answer(status, None, "no"), NOW)
    assert (judged.outcome, judged.status, judged.detail) == (outcome, status, detail)
    assert judged.retry_after_s is None


@pytest.mark.parametrize(("status", "wait"), [(429, 90), (503, 90), (500, None), (404, None)])
def test_who_asks_for_time_is_given_it(status: int, wait: int | None) -> None:
    assert judge(Answer(status, "90", ""), NOW).retry_after_s == wait


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, None),
        ("1", 1),
        (" 90 ", 90),
        ("0", None),
        ("86401", 86_400),
        ("9" * 400, 86_400),
        ("-5", None),
        ("1.5", None),
        ("٩", None),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90),
        ("Saturday, 21-Nov-26 12:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 13:01:30 +0100", 90),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("Sat, 21 Nov 2026 12:01:30", None),
        ("Sat, 21 Nov 2096 12:01:30 GMT", 86_400),
        ("Sat, 99 Nov 2026 12:01:30 GMT", None),
        ("Sat, 21 Nov 99999 12:01:30 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_and_a_day_at_most(text: str | None, wait: int) -> None:
    assert wait_of(text, NOW) == wait


def test_an_instant_in_another_zone_is_no_other_wait() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert wait_of("Sat, 21 Nov 2026 12:01:30 GMT", east) == 90


def test_what_strangers_write_is_one_line_without_tricks() -> None:
    assert one_line("a\r\nb\t\x1b[31mred\x00\u202eevil\u2028 end ") == "a b [31mred evil end"
    assert len(one_line("word " * 10_000)) <= 300
    assert one_line("\n" * 10_000) == ""
