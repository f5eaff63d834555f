"""``bursar webhook``: secrets alone on standard output; machines told, and told again (N3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.cli.conftest import Done
from tests.cli.listener import Listener
from tests.cli.shop import Shop
from tests.cli.telling import WHY, deposit


def add(shop: Shop, listener: Listener, *more: str) -> str:
    """Add the listener; returns its secret."""
    made = shop("webhook", "add", listener.url, *more, *WHY)
    assert made.code == 0, made.err
    return made.out.removesuffix("\n")


def verified(secret: str, listener: Listener) -> list[Any]:
    """What the listener has got, each with a signature that is right."""
    return [Webhook(secret).verify(body, headers) for headers, body in listener.got]


def test_a_secret_is_alone_on_standard_output_and_signs(telling: Shop, listener: Listener) -> None:
    made = telling("webhook", "add", listener.url, "--kind", "deposit", *WHY)
    assert made.code == 0
    assert made.out.startswith("whsec_")
    assert made.out.count("\n") == 1
    first, last = made.err.splitlines()
    assert first.startswith("webhook_1: http://127.0.0.1:")
    assert first.endswith("gets deposit")
    assert last == "this is the only time that its secret is told"

    deposit(telling)
    done = telling("notices", "send", "--json")
    assert done.json["items"][1]["tried"] == 1
    [told] = verified(made.out.strip(), listener)
    assert (told["type"], told["data"]["notices"][0]["holder"]) == ("deposit", "mia")


def test_a_program_gets_one_object(telling: Shop, listener: Listener) -> None:
    made = telling("webhook", "add", listener.url, "--description", "shop", "--json", *WHY)
    assert made.json["secret"].startswith("whsec_")
    assert made.json["webhook"]["description"] == "shop"
    assert made.err == ""


def test_no_secret_and_no_query_is_in_lists(telling: Shop, listener: Listener) -> None:
    assert "no webhooks" in telling("webhook", "list").out
    secret = add(telling, listener)
    listed = telling("webhook", "list")
    assert "all kinds" in listed.out
    assert "t0psecret" not in listed.out
    shown = telling("webhook", "show", "webhook_1")
    assert "t0psecret" in shown.out
    for told in (listed, shown, telling("webhook", "list", "--json"), telling("audit")):
        assert secret not in told.out + told.err


def test_a_ping_tells_what_was_answered(telling: Shop, listener: Listener) -> None:
    secret = add(telling, listener)
    assert telling("webhook", "ping", "1").out == "webhook_1 took it with 204\n"
    assert [told["type"] for told in verified(secret, listener)] == ["ping"]
    listener.status = 500
    failed = telling("webhook", "ping", "1")
    assert (failed.code, failed.out.startswith("webhook_1 did not take it with 500")) == (1, True)
    shape = telling("webhook", "ping", "1", "--json")
    assert (shape.code, shape.json["status"]) == (1, 500)


def test_it_is_changed_switched_off_and_on_and_the_rest_stays(
    telling: Shop, listener: Listener
) -> None:
    add(telling, listener, "--kind", "deposit", "--kind", "corrected", "--description", "shop")
    off = telling("webhook", "change", "1", "--off", *WHY, "--json").json
    assert (off["state"], off["why"], off["kinds"]) == ("off", "operator", ["deposit", "corrected"])
    deposit(telling)
    telling("notices", "send")
    assert listener.got == []
    on = telling("webhook", "change", "1", "--on", "--all-kinds", *WHY, "--json").json
    assert (on["state"], on["kinds"], on["description"]) == ("on", [], "shop")
    telling("notices", "send")
    assert len(listener.got) == 1
    moved = telling("webhook", "change", "1", "--url", listener.url + "2", *WHY)
    assert "hook?token=t0psecret2" in moved.out
    acts = telling("audit", "--act", "webhook.change", "--json").json["items"]
    assert len(acts) == 3


def test_while_a_secret_is_rotated_both_sign(telling: Shop, listener: Listener) -> None:
    old = add(telling, listener)
    turned = telling("webhook", "rotate", "1", "--overlap", "2", *WHY)
    assert "the old secret signs as well until " in turned.err
    telling("webhook", "ping", "1")
    assert verified(old, listener)
    assert verified(turned.out.strip(), listener)
    assert "old secret" not in telling("webhook", "rotate", "1", "--overlap", "0", *WHY).err


def test_what_was_made_in_a_span_is_sent_again_under_its_id(
    telling: Shop, listener: Listener
) -> None:
    add(telling, listener)
    deposit(telling)
    telling("notices", "send")
    day = timedelta(days=1)
    since, until = (f"{at:%Y-%m-%d}" for at in (datetime.now(UTC) - day, datetime.now(UTC) + day))
    span = ("--since", since, "--until", until, *WHY)
    none = telling("webhook", "replay", "1", *span, "--state", "parked")
    assert none.out == "0 deliveries due again\n"
    assert telling("webhook", "replay", "1", *span, "--kind", "reminder", "--json").json == {
        "webhook": 1,
        "replayed": 0,
    }
    assert telling("webhook", "replay", "1", *span).out == "1 delivery due again\n"
    telling("notices", "send")
    assert len(listener.got) == 2
    assert len({headers["webhook-id"] for headers, _ in listener.got}) == 1
    [shown] = telling("notices", "deliveries", "--webhook", "webhook_1", "--json").json["items"]
    assert shown["attempts"] == 2


def test_secrets_are_sealed_with_the_first_key(telling: Shop, listener: Listener) -> None:
    secret = add(telling, listener)
    done = telling("webhook", "reseal", *WHY)
    assert done.out == "the secrets of 1 webhook are sealed with the first key\n"
    assert telling("webhook", "reseal", *WHY, "--json").json == {"resealed": 1}
    telling("webhook", "ping", "1")
    assert verified(secret, listener)


def test_a_webhook_is_removed_with_what_waits_for_it(telling: Shop, listener: Listener) -> None:
    add(telling, listener)
    telling("webhook", "change", "1", "--off", *WHY)
    deposit(telling)
    telling("notices", "send")
    gone = telling("webhook", "remove", "1", *WHY)
    assert gone.out == "webhook_1 is removed; 1 delivery dropped\n"
    assert telling("webhook", "list", "--json").json["items"] == []
    assert telling("webhook", "show", "1").code == 3


def test_without_a_key_nothing_is_kept_and_sending_says_so(
    telling: Shop, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(telling, listener)
    deposit(telling)
    monkeypatch.delenv("BURSAR_SECRETS_KEY")
    refused = telling("webhook", "add", listener.url + "2", *WHY, "--json")
    assert (refused.code, refused.error["code"]) == (4, "secrets_key_missing")
    sent = telling("notices", "send")
    assert "BURSAR_SECRETS_KEY" in sent.err
    assert listener.got == []


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("add", "ftp://example.com", *WHY), 2, "webhook_url"),
        (("add", "http://10.0.0.7/x", *WHY), 2, "webhook_url"),
        (("add", "https://example.com", "--kind", "gift", *WHY), 2, "usage"),
        (("add", "https://example.com", "--description", "x" * 501, *WHY), 2, "webhook_invalid"),
        (("add", "https://example.com", "--reason", ""), 2, "posting_voice"),
        (("add",), 2, "usage"),
        (("show", "7"), 3, "webhook_unknown"),
        (("show", "seven"), 2, "option_invalid"),
        (("change", "7", "--off", *WHY), 3, "webhook_unknown"),
        (("change", "7", "--off"), 2, "usage"),
        (("change", "7", "--kind", "deposit", "--all-kinds", *WHY), 2, "option_invalid"),
        (("rotate", "7", *WHY), 3, "webhook_unknown"),
        (("rotate", "7", "--overlap", "721", *WHY), 2, "overlap"),
        (("rotate", "7", "--overlap", "long", *WHY), 2, "usage"),
        (("remove", "7", *WHY), 3, "webhook_unknown"),
        (("ping", "7"), 3, "webhook_unknown"),
        (("ping", "99999999999"), 3, "webhook_unknown"),
        (("replay", "7", *WHY), 2, "usage"),
        (("replay", "7", "--since", "x", "--until", "2026-01-02", *WHY), 2, "option_invalid"),
        (
            ("replay", "7", "--since", "2026-01-02", "--until", "2026-01-01", *WHY),
            2,
            "delivery_span",
        ),
        (
            ("replay", "7", "--since", "2026-01-01", "--until", "2026-01-02", *WHY),
            3,
            "webhook_unknown",
        ),
        (
            (
                "replay", "7", "--since", "2026-01-01", "--until", "2026-01-02",
                "--state", "waiting", *WHY,
            ),
            2,
            "delivery_states",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    telling: Shop, given: tuple[str, ...], code: int, name: str
) -> None:
    told: Done = telling("webhook", *given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")
    assert telling("webhook", "list", "--json").json["items"] == []
