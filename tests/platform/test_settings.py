"""Settings: from the environment, from a file, documented each (O5)."""

import re
from pathlib import Path

import certifi
import pytest
from rich.pretty import pretty_repr

from bursar.platform.errors import Invalid
from bursar.platform.settings import Settings, load_settings
from bursar.platform.settings_file import VARIABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/settings.md").read_text("utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bursar.toml"


def _load(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text, "utf-8")
    return load_settings({VARIABLE: str(file)} | environ)


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    known = {f"BURSAR_{name.upper()}" for name in Settings.__struct_fields__} | {VARIABLE}
    assert set(re.findall(r"^\| `(BURSAR_\w+)` \|", PAGE, re.MULTILINE)) == known


def test_every_variable_that_the_program_names_is_one_that_is_read() -> None:
    known = {f"BURSAR_{name.upper()}" for name in Settings.__struct_fields__} | {VARIABLE}
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r'"(BURSAR_[A-Z_]+)"', path.read_text("utf-8"))
    }
    assert named <= known


@pytest.mark.parametrize(("field", "default"), re.findall(r"`BURSAR_(\w+)` \| (\d+|on|off) ", PAGE))
def test_the_documented_default_is_the_default(field: str, default: str) -> None:
    value = getattr(load_settings({}), field.lower())
    assert (("on" if value else "off") if isinstance(value, bool) else str(value)) == default


def test_a_file_says_what_the_environment_does_not(file: Path) -> None:
    said = _load(file, 'tick_s = 30\nprograms = false\ndata_dir = "/srv/books"\nchunk = "500"\n')
    assert (said.tick_s, said.programs, said.chunk) == (30, False, 500)
    assert said.data_dir == Path("/srv/books")


def test_the_environment_wins_over_the_file_unless_it_is_empty(file: Path) -> None:
    assert _load(file, "tick_s = 30", BURSAR_TICK_S="5").tick_s == 5
    assert _load(file, "tick_s = 30", BURSAR_TICK_S="").tick_s == 30


@pytest.mark.parametrize(
    "text",
    [
        "tick = 30",
        "BURSAR_TICK_S = 30",
        "config = 'other.toml'",
        "[programs]\non = true",
        "tick_s = 0.5",
        "tick_s = 0",
        "tick_s = ",
        "programs = 1",
        "keep_days = 30",
        "verify_hours = -1",
        "verify_hours = 9000",
        "data_dir = ['a']",
    ],
)
def test_a_file_that_says_no_settings_is_refused(file: Path, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        _load(file, text)
    assert refused.value.code == "setting_invalid"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"data_dir = '\xe9'")
    for name in ("absent", "latin", "."):
        with pytest.raises(Invalid) as refused:
            load_settings({VARIABLE: str(tmp_path / name)})
        assert refused.value.fields == {"setting": VARIABLE}


def test_never_to_check_is_a_choice() -> None:
    assert load_settings({"BURSAR_VERIFY_HOURS": "0"}).verify_hours == 0


# --- mail and webhooks ----------------------------------------------------------------------

KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
OLD = "b2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXItMTI="
MAIL = {"BURSAR_MAIL_FROM": "Sports Club <coins@club.example>"}


def _refused(name: str, value: str) -> Invalid:
    with pytest.raises(Invalid) as refused:
        load_settings({name: value} if name == "BURSAR_MAIL_FROM" else MAIL | {name: value})
    assert (refused.value.code, refused.value.fields) == ("setting_invalid", {"setting": name})
    return refused.value


def test_without_a_word_nothing_is_sent_and_nothing_private_reached() -> None:
    said = load_settings({})
    assert (said.smtp_url, said.mail_from, said.public_url, said.templates) == (
        None,
        "",
        None,
        None,
    )
    assert (said.secrets_key, said.webhook_networks) == ((), ())


@pytest.mark.parametrize(
    "url",
    [
        "smtps://user:p%40ss@mail.example:465",
        "smtp://mail.example",
        "smtp://mail.example:587/",
        "smtp://127.0.0.1:2525?tls=no",
        "smtp://[::1]:25",
        "smtp://mail.example?tls=yes&helo=coins.club.example",
        f"smtps://mail-1.club.example?ca={certifi.where()}",
    ],
)
def test_addresses_to_which_mail_is_handed(url: str) -> None:
    assert load_settings(MAIL | {"BURSAR_SMTP_URL": url}).smtp_url == url


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:587",
        "https://mail.example",
        "smtp://",
        "smtp://:587",
        "smtp://mail.example:0",
        "smtp://mail.example:70000",
        "smtp://mail.example:",
        "smtp://mail.example:5x7",
        "smtp://hunter2secret:a@b@mail example",
        "smtp://:hunter2secret@mail.example",
        "smtp://[mail.example]",
        "smtp://[::1",
        "smtp://mail.example/inbox",
        "smtp://mail.example#top",
        "smtp://mail.example?tls=maybe",
        "smtp://mail.example?tls=no&tls=no",
        "smtp://mail.example?starttls=no",
        "smtp://mail.example?tls",
        "smtp://mail.example?ca=",
        "smtps://mail.example?tls=no",
        "smtps://hunter2secret@mail.example",
        f"smtp://mail.example?tls=no&ca={certifi.where()}",
        "smtp://mail.example?ca=/nowhere/club.pem",
        "smtp://mail.example?helo=coins_club",
        "smtp://mail.exämple",
        "smtp://mail.example\nRCPT TO:<x>",
        "smtp://" + "a" * 3_000,
    ],
)
def test_an_address_to_which_no_mail_can_be_handed_is_refused_unrepeated(url: str) -> None:
    assert "hunter2secret" not in _refused("BURSAR_SMTP_URL", url).message


def test_mail_needs_somebody_from_whom_it_comes() -> None:
    with pytest.raises(Invalid) as refused:
        load_settings({"BURSAR_SMTP_URL": "smtp://mail.example"})
    assert refused.value.fields == {"setting": "BURSAR_MAIL_FROM"}


@pytest.mark.parametrize(
    "text",
    [
        "coins@club.example",
        "<coins@club.example>",
        "Zoë's Club <a.b+c@x-1.club.example>",
        "a@localhost",
    ],
)
def test_senders(text: str) -> None:
    assert load_settings({"BURSAR_MAIL_FROM": f" {text} "}).mail_from == text


@pytest.mark.parametrize(
    "text",
    [
        "Sports Club",
        "coins@",
        "@club.example",
        "coins@club.example, ops@club.example",
        "Club <coins@club.example> <x@y.example>",
        "Club <coins@club.example",
        "Club\r\nBcc: x@y.example <coins@club.example>",
        "coins@club..example",
        "coins@-club.example",
        "coins.@club.example",
        "co ins@club.example",
        "a" * 65 + "@club.example",
        "a@" + "b." * 200 + "example",
        "a" * 300 + " <coins@club.example>",
        "cöins@club.example",
    ],
)
def test_what_is_no_sender_is_refused(text: str) -> None:
    _refused("BURSAR_MAIL_FROM", text)


def test_where_people_reach_the_api() -> None:
    for said, kept in [
        ("https://coins.club.example/", "https://coins.club.example"),
        ("https://club.example:8443/coins", "https://club.example:8443/coins"),
        ("http://127.0.0.1:8600", "http://127.0.0.1:8600"),
        ("http://localhost:8600", "http://localhost:8600"),
    ]:
        assert load_settings({"BURSAR_PUBLIC_URL": said}).public_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "coins.club.example",
        "http://coins.club.example",
        "http://localhost.club.example",
        "ftp://club.example",
        "javascript:alert(1)",
        "https://",
        "https://user:password@club.example",
        "https://@club.example",
        "https://club.example?x=1",
        "https://club.example#x",
        "https://club.example/?",
        "https://club.example/a b",
        "https://club.example\\@evil.example",
    ],
)
def test_an_address_that_is_not_for_links_is_refused(url: str) -> None:
    _refused("BURSAR_PUBLIC_URL", url)


def test_templates_are_in_a_directory_that_there_is(tmp_path: Path) -> None:
    assert load_settings({"BURSAR_TEMPLATES": str(tmp_path)}).templates == tmp_path
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        _refused("BURSAR_TEMPLATES", str(tmp_path / name))


def test_keys_of_secrets_the_first_encrypts() -> None:
    assert load_settings({"BURSAR_SECRETS_KEY": f"{KEY}, {OLD}"}).secrets_key == (KEY, OLD)


@pytest.mark.parametrize(
    "keys",
    [
        KEY[:-1],
        KEY + "=",
        "+" + KEY[1:],
        f"{KEY},",
        f"{KEY};{OLD}",
        f"{KEY},{KEY}",
        "hunter2secret",
    ],
)
def test_what_is_no_key_is_refused_unrepeated(keys: str) -> None:
    message = _refused("BURSAR_SECRETS_KEY", keys).message
    assert KEY[1:20] not in message
    assert "hunter2secret" not in message


def test_networks_that_webhooks_may_reach() -> None:
    said = load_settings({"BURSAR_WEBHOOK_NETWORKS": "10.0.0.0/8, 127.0.0.1,::1/128,10.0.0.0/8"})
    assert said.webhook_networks == ("10.0.0.0/8", "127.0.0.1/32", "::1/128")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0.0/8,", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    _refused("BURSAR_WEBHOOK_NETWORKS", text)


@pytest.mark.parametrize("text", ["0", "-1", "100001", "1.5"])
def test_a_pace_that_is_none_is_refused(text: str) -> None:
    _refused("BURSAR_MAIL_PER_SECOND", text)


def test_settings_show_no_secret_however_they_are_shown() -> None:
    said = load_settings(
        MAIL
        | {
            "BURSAR_SMTP_URL": "smtps://club:hunter2secret@mail.example",
            "BURSAR_SECRETS_KEY": KEY,
            "BURSAR_CHECKSUM_KEY": "ab" * 32,
        }
    )
    shown = [repr(said), str(said), pretty_repr(said), pretty_repr({"settings": [said]})]
    for secret in ("hunter2secret", KEY, "abab", repr(said.checksum_key)):
        assert not any(secret in text for text in shown)
