"""``bursar notices``: how texts read, what a holder sees, how sending stands (N1, N2, N5)."""

import re
import signal
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from threading import Event
from typing import Any, get_args

import psycopg
import pytest

from bursar.notices.model import Kind
from bursar.programs.model import AlertKind, Terms
from tests.cli.conftest import Run, run
from tests.cli.shop import Shop, monthly
from tests.cli.telling import WHY, deposit
from tests.conftest import Database
from tests.notices.mail.servers import Office

# --- texts, without a database ------------------------------------------------------------------


def test_a_letter_is_shown_in_its_language_without_a_database() -> None:
    shown = run("notices", "preview", "deposit", "--language", "de")
    assert shown.code == 0
    assert "50.000 Münzen" in shown.out
    assert "<html" not in shown.out
    assert "<html" in run("notices", "preview", "deposit", "--all").out
    assert run("notices", "preview", "deposit", "--html").out.startswith("<!doctype html>")
    assert run("notices", "preview", "deposit", "--text").out.startswith("Hello Ada")
    assert {"subject", "summary", "text", "html"} == run(
        "notices", "preview", "deposit", "--json"
    ).json.keys()


def test_every_letter_is_written_as_files_that_a_mailbox_opens(tmp_path: Path) -> None:
    done = run("notices", "preview", "--out", tmp_path / "new" / "letters", "--json")
    written = {path.name for path in (tmp_path / "new" / "letters").iterdir()}
    assert written == set(done.json["files"])
    assert len(written) == len(Kind) * 2 * 3
    raw = (tmp_path / "new" / "letters" / "deposit.de.eml").read_bytes()
    letter: Any = message_from_bytes(raw, policy=policy.default)
    assert "50.000 Münzen" in letter.get_body(("plain",)).get_content()
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    operators = (tmp_path / "new" / "letters" / "operator_alert.en.eml").read_text()
    assert "List-Unsubscribe" not in operators
    again = run("notices", "preview", "deposit", "--out", tmp_path)
    assert again.out == f"{tmp_path}: 6 files\n"


def test_our_templates_are_sound_and_a_bad_one_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = run("notices", "templates")
    assert (ours.code, ours.out) == (0, "10 kinds in en, de (ours): all texts can be written\n")
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deposit.txt").write_text("hello\n{{ nobody.knows }}\n")
    monkeypatch.setenv("BURSAR_TEMPLATES", str(tmp_path))
    bad = run("notices", "templates")
    assert (bad.code, "en/deposit.txt:2: " in bad.out) == (1, True)
    shape = run("notices", "templates", "--json")
    assert (shape.code, shape.json["failures"][0]["file"]) == (1, "en/deposit.txt")
    shown = run("notices", "preview", "deposit", "--json")
    assert (shown.code, shown.error["code"]) == (2, "template_error")
    assert run("notices", "preview", "--out", tmp_path / "out").code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((), "option_invalid"),
        (("gift",), "notice_kind"),
        (("gift", "--out", "x"), "notice_kind"),
        (("deposit", "--language", "fr"), "notice_language"),
        (("deposit", "--html", "--text"), "option_invalid"),
        (("deposit", "--out", "/dev/null"), "file_unusable"),
    ],
)
def test_what_cannot_be_shown_is_said(given: tuple[str, ...], code: str) -> None:
    told = run("notices", "preview", *given, "--json")
    assert (told.code, told.error["code"], told.out) == (2, code, "")


# --- what is in force ---------------------------------------------------------------------------


def test_what_is_in_force_spells_amounts_in_units_of_the_asset(telling: Shop) -> None:
    assert "low_balance.below   20.50 coins\n" in telling("notices", "settings").out
    assert telling("notices", "settings", "--json").json["economy"]["below"] == {"coins": 2_050}


def test_kinds_say_to_whom_and_how_they_go(telling: Shop) -> None:
    kinds = {one["kind"]: one for one in telling("notices", "kinds", "--json").json["items"]}
    assert set(kinds) == set(Kind)
    assert kinds["deposit"] == {
        "kind": "deposit",
        "to": "holders",
        "named_by": ["program", "send"],
        "channels": ["inbox", "email"],
    }
    assert (kinds["operator_alert"]["to"], kinds["operator_alert"]["channels"]) == (
        "operators",
        ["email"],
    )
    assert "low_balance" in telling("notices", "kinds").out


def test_settings_show_what_is_in_force_and_no_secret(
    telling: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSAR_SMTP_URL", "smtps://club:t0psecret@mail.club.example")
    monkeypatch.setenv("BURSAR_MAIL_FROM", "coins@club.example")
    shape = telling("notices", "settings", "--json")
    assert shape.json["economy"]["send"] == ["deposit", "corrected"]
    assert shape.json["process"]["mail_server"] == "mail.club.example:465"
    assert shape.json["process"]["secrets_key"] == "BURSAR_SECRETS_KEY"
    shown = telling("notices", "settings")
    assert "ops@club.example" in shown.out
    assert "mail.club.example:465" in shown.out
    assert "t0psecret" not in shown.out + shape.out


# --- a holder's inbox and wishes ----------------------------------------------------------------


def test_an_inbox_is_shown_as_its_holder_reads_it_and_stays_unread(telling: Shop) -> None:
    assert telling("notices", "inbox", "mia").out == "nothing in the inbox\n"
    deposit(telling)
    deposit(telling, reference="another")
    for _ in range(2):
        shown = telling("notices", "inbox", "mia", "--unread")
        assert shown.out.count("50,00 Münzen") >= 2
    page = telling("notices", "inbox", "mia", "--limit", "1", "--json").json
    assert page["items"][0]["notice"]["data"]["reference"] == "another"
    assert "Münzen" in page["items"][0]["title"]
    rest = telling("notices", "inbox", "mia", "--cursor", page["cursor"], "--json").json
    assert [one["notice"]["data"]["reference"] for one in rest["items"]] == ["gift"]


def test_wishes_are_shown_and_changed_and_the_change_is_on_record(telling: Shop) -> None:
    before = telling("notices", "preferences", "mia", "--json").json
    assert before["revision"] == 0
    assert telling("audit", "--act", "preferences.*", "--json").json["items"] == []
    off = ("--set", "deposit.email=off", "--set", "reminder.inbox=off", "--quiet", "22:00-07:00")
    after = telling("notices", "preferences", "mia", *off, *WHY, "--json").json
    assert after["kinds"]["deposit"] == {"inbox": True, "email": False}
    assert after["kinds"]["reminder"]["inbox"] is False
    assert after["own_quiet"] is True
    shown = telling("notices", "preferences", "mia").out
    assert "off, own choice" in shown
    assert "quiet hours: 22:00 to 07:00, the holder's own" in shown
    never = telling("notices", "preferences", "mia", "--quiet", "none")
    assert "quiet hours: none, the holder's own" in never.out
    back = ("--set", "deposit.email=default", "--quiet", "default")
    again = telling("notices", "preferences", "mia", *back, "--json").json
    assert (again["kinds"]["deposit"]["email"], again["own_quiet"]) == (True, False)
    [latest, _, first] = telling("audit", "--act", "preferences.*", "--json").json["items"]
    assert (first["actor"], first["reason"]) == WHY[3:] + WHY[1:2]
    assert latest["reason"] == "by hand"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("--set", "deposit.email"), "option_invalid"),
        (("--set", "deposit=off"), "option_invalid"),
        (("--set", "deposit.email=perhaps"), "option_invalid"),
        (("--set", "gift.email=off"), "preference_invalid"),
        (("--set", "deposit.webhook=off"), "preference_invalid"),
        (("--set", "operator_alert.email=off"), "preference_invalid"),
        (("--quiet", "22-7"), "option_invalid"),
        (("--quiet", "25:00-07:00"), "option_invalid"),
    ],
)
def test_wishes_that_make_no_sense_change_nothing(
    telling: Shop, given: tuple[str, ...], code: str
) -> None:
    told = telling("notices", "preferences", "mia", *given, "--json")
    assert (told.code, told.error["code"], told.out) == (2, code, "")
    assert telling("notices", "preferences", "mia", "--json").json["revision"] == 0


# --- sending ------------------------------------------------------------------------------------


def test_what_is_due_is_made_and_sent_once(telling: Shop, mailbox: Office) -> None:
    deposit(telling)
    done = telling("notices", "send", "--json")
    assert (done.code, done.json["items"][0]) == (
        0,
        {"channel": "email", "tried": 1, "waiting": 0, "parked": 0},
    )
    assert mailbox.to == ["mia@club.example"]
    assert telling("notices", "send", "--json").json["items"][0]["tried"] == 0

    [one] = telling("notices", "deliveries", "--json").json["items"]
    assert (one["state"], one["kind"]) == ("sent", "deposit")
    for option in (("--holder", "mia"), ("--state", "sent"), ("--channel", "email")):
        assert " mia " in telling("notices", "deliveries", *option).out
    for option in (("--holder", "ada"), ("--state", "parked"), ("--kind", "reminder")):
        assert telling("notices", "deliveries", *option).out == "no deliveries\n"
    shown = telling("notices", "delivery", "delivery_1")
    assert "to        mia" in shown.out
    assert " 250" in shown.out

    assert telling("notices", "replay", "1", *WHY).code == 0
    assert telling("notices", "send").code == 0
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 1
    assert len(mailbox.letters) == 2
    [act] = telling("audit", "--act", "delivery.replay", "--json").json["items"]
    assert (act["subject"], act["actor"]) == ("delivery_1", "cli:ann")


def test_letters_that_a_server_would_not_take_are_sent_when_it_does(
    telling: Shop, mailbox: Office
) -> None:
    deposit(telling)
    mailbox.rcpt = lambda _: "554 5.7.1 relaying denied"
    assert telling("notices", "send").code == 1
    mailbox.rcpt = lambda _: None
    span = ("--since", "2020-01-01", "--until", "2090-01-01", *WHY)
    none = telling("notices", "replay-mail", *span, "--kind", "reminder", "--json")
    assert none.json == {"channel": "email", "replayed": 0}
    assert telling("notices", "replay-mail", *span).out == "1 letter due again\n"
    assert telling("notices", "send").code == 0
    assert mailbox.to.count("mia@club.example") == 1
    wrong = telling("notices", "replay-mail", *span, "--state", "waiting")
    assert (wrong.code, "sent, parked, dropped" in wrong.err) == (2, True)


def test_without_a_mail_server_it_says_so(telling: Shop) -> None:
    deposit(telling)
    done = telling("notices", "send")
    assert (done.code, "BURSAR_SMTP_URL" in done.err) == (0, True)
    assert telling("notices", "deliveries").out == "no deliveries\n"


def test_what_is_given_up_meanwhile_is_told_by_the_exit_code(
    telling: Shop, mailbox: Office
) -> None:
    mailbox.data = lambda _: "554 5.7.1 we do not want this"
    deposit(telling)
    done = telling("notices", "send")
    assert done.code == 1
    assert "--state parked" in done.err
    telling("notices", "send")  # operators are told of it, in vain as well
    assert telling("notices", "send").code == 0  # and nothing more is given up
    shown = telling("notices", "delivery", "1").out
    assert "parked" in shown
    assert "554" in shown


def test_an_address_that_bounces_is_blocked_until_it_is_unblocked(
    telling: Shop, mailbox: Office
) -> None:
    assert telling("notices", "bounces").out == "nothing is blocked\n"
    mailbox.rcpt = lambda _: "550 5.1.1 no such user"
    deposit(telling)
    assert telling("notices", "send").code == 0
    listed = telling("notices", "bounces", "--holder", "mia")
    assert "mia" in listed.out
    assert "550" in listed.out
    assert "mia@" not in listed.out
    done = telling("notices", "unblock", "mia", *WHY)
    assert (done.code, done.out) == (0, "1 address unblocked\n")
    again = telling("notices", "unblock", "mia", *WHY, "--json")
    assert (again.code, again.error["code"]) == (3, "bounce_unknown")


def test_what_a_restore_has_parked_is_released(
    telling: Shop, mailbox: Office, database: Database
) -> None:
    deposit(telling)
    telling("notices", "send")
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("update bursar.deliveries set state = 'parked', note = 'restored'")
    assert telling("notices", "release", "webhook", *WHY).out == "0 deliveries released\n"
    assert telling("notices", "release", "email", *WHY).out == "1 delivery released\n"
    telling("notices", "send")
    assert len(mailbox.letters) == 2


def test_a_dispatch_is_watched_paused_resumed_and_canceled(telling: Shop, mailbox: Office) -> None:
    assert telling("notices", "dispatches").out == "no dispatches\n"
    telling.put(monthly(terms=Terms(notices=("deposit",))))
    assert telling("run", "start", "monthly", "--reason", "november").code == 0
    assert telling("notices", "send").code == 0
    [one] = telling("notices", "dispatches", "--json").json["items"]
    assert (one["run"], one["state"], one["sent"]) == ("run_1", "finished", 1)
    assert "run_1" in telling("notices", "dispatches").out
    for deed, state in (("pause", "paused"), ("resume", "running"), ("cancel", "canceled")):
        done = telling("notices", deed, "dispatch_1", *WHY, "--json")
        assert (done.code, done.json["state"]) == (0, state)
    told = telling("notices", "resume", "1", *WHY, "--json")
    assert (told.code, told.error["code"]) == (5, "dispatch_state")
    assert "1 made, 1 sent, 0 waiting" in telling("notices", "dispatch", "1").out
    acts = telling("audit", "--act", "dispatch.*", "--json").json["items"]
    assert [act["act"] for act in acts] == ["dispatch.cancel", "dispatch.resume", "dispatch.pause"]


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("inbox", "nobody"), 3, "holder_unknown"),
        (("inbox", "ada", "--limit", "0"), 2, "page_limit"),
        (("inbox", "ada", "--cursor", "x"), 2, "cursor"),
        (("preferences", "nobody"), 3, "holder_unknown"),
        (("dispatch", "7"), 3, "dispatch_unknown"),
        (("dispatch", "seven"), 2, "option_invalid"),
        (("dispatch", "delivery_7"), 2, "option_invalid"),
        (("pause", "7", *WHY), 3, "dispatch_unknown"),
        (("pause", "7"), 2, "usage"),
        (("deliveries", "--channel", "inbox"), 2, "usage"),
        (("deliveries", "--state", "lost"), 2, "usage"),
        (("deliveries", "--kind", "gift"), 2, "usage"),
        (("deliveries", "--holder", "nobody"), 3, "holder_unknown"),
        (("deliveries", "--webhook", "x"), 2, "option_invalid"),
        (("delivery", "7"), 3, "delivery_unknown"),
        (("delivery", "999999999999999999"), 3, "delivery_unknown"),
        (("delivery", "٧"), 2, "option_invalid"),
        (("replay", "7", *WHY), 3, "delivery_unknown"),
        (("replay", "7", "--reason", ""), 2, "posting_voice"),
        (("release", "inbox", *WHY), 2, "usage"),
        (("bounces", "--holder", "nobody"), 3, "holder_unknown"),
        (("unblock", "nobody", *WHY), 3, "holder_unknown"),
    ],
)
def test_what_is_not_there_is_missing_and_what_is_malformed_is_said(
    shop: Shop, given: tuple[str, ...], code: int, name: str
) -> None:
    told = shop("notices", *given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    bursar: Run = run
    assert bursar("notices", "settings", "--db", tmp_path / "typo").code == 3
    assert not (tmp_path / "typo").exists()


def test_whoever_is_interrupted_while_sending_loses_nothing(
    telling: Shop, mailbox: Office, spawn: Callable[..., Any]
) -> None:
    reached = Event()

    def never(_: str) -> None:
        mailbox.silent = True
        reached.set()

    mailbox.rcpt = never
    deposit(telling)
    child = spawn("notices", "send")
    assert reached.wait(60)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, b"Traceback" in err) == (130, False), err
    one = telling("notices", "delivery", "1", "--json").json
    # the attempt counts; what came of it is told now, or when its lease has run out
    assert (one["delivery"]["state"], one["delivery"]["attempts"]) == ("waiting", 1)


def test_every_duty_of_a_worker_is_in_the_page_with_how_often() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "cli.md").read_text("utf-8")
    rows = page.partition("| duty |")[2].partition("\n\n")[0].splitlines()
    source = "".join(
        (root / "src" / "bursar" / of / "duties.py").read_text("utf-8")
        for of in ("notices", "operation")
    )
    spelled = {"1": "second", "10": "10 s", "30": "30 s", "60": "minute", "3_600": "hour"}
    duties = re.findall(r'Duty\("(\w+)", ([0-9_]+)', source)
    assert len(duties) == source.count("Duty(")
    for name, every_s in duties:
        [row] = [line for line in rows if f"`{name}`" in line]
        assert spelled.get(every_s, "5 min") in row


def test_every_alert_that_can_be_raised_is_in_the_page() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "cli.md").read_text("utf-8").partition("\n## Alerts\n")[2]
    rows = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == {*get_args(AlertKind)}
