"""A link ends one kind for one holder, and nobody can make one."""

import base64

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.model import Kind
from bursar.platform.errors import Broken, Invalid


class Sealed:
    """Seals as an installation does."""

    def __init__(self, *keys: bytes) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, clear: bytes) -> bytes:
        return self._fernet.encrypt(clear)

    def open(self, sealed: bytes) -> bytes:
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise Broken("secret_unreadable", "no") from None


KEY, OTHER = Fernet.generate_key(), Fernet.generate_key()
BASE = "https://coins.club.example"
LINKS = Unsubscribing(Sealed(KEY), BASE + "/")


def token_of(url: str) -> str:
    assert url.startswith(f"{BASE}/v1/unsubscribe/")
    return url.rpartition("/")[2]


@pytest.mark.parametrize("kind", OF_HOLDERS)
@pytest.mark.parametrize("holder_id", [1, 2**63 - 1])
def test_a_link_says_for_whom_it_is_and_which_kind_it_ends(holder_id: int, kind: Kind) -> None:
    assert LINKS.open_token(token_of(LINKS.url(holder_id, kind))) == (holder_id, kind)


def test_nothing_can_be_read_from_a_link() -> None:
    token = token_of(LINKS.url(4711, Kind.DEPOSIT))
    shown = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"4711" not in shown
    assert b"deposit" not in shown


def test_a_link_outlives_the_exchange_of_its_key() -> None:
    url = LINKS.url(1, Kind.DEPOSIT)
    rotated = Unsubscribing(Sealed(OTHER, KEY), BASE)
    assert rotated.open_token(token_of(url)) == (1, Kind.DEPOSIT)


def bad_tokens() -> dict[str, str]:
    good = token_of(LINKS.url(1, Kind.DEPOSIT))
    foreign = Unsubscribing(Sealed(OTHER), BASE)

    def sealed(text: bytes) -> str:
        return Sealed(KEY).seal(text).decode().rstrip("=")

    return {
        "empty": "",
        "short": "a",
        "cut": good[:-2],
        "changed": good[:40] + ("A" if good[40] != "A" else "B") + good[41:],
        "longer": good + "AAAA",
        "padded": good + "==",
        "huge": "A" * 100_000,
        "not ascii": "ü" * 140,
        "a path": "../../v1/keys",
        "of another key": token_of(foreign.url(1, Kind.DEPOSIT)),
        "another secret of ours": sealed(b"whsec_abc"),
        "of operators": sealed(b"unsubscribe:1:operator_alert"),
        "no kind": sealed(b"unsubscribe:1:nothing"),
        "nobody": sealed(b"unsubscribe:0:deposit"),
        "too many digits": sealed(b"unsubscribe:" + b"9" * 20 + b":deposit"),
    }


BAD = bad_tokens()


@pytest.mark.parametrize("how", BAD)
def test_what_is_no_link_of_ours_is_refused(how: str) -> None:
    with pytest.raises(Invalid) as caught:
        LINKS.open_token(BAD[how])
    assert caught.value.code == "unsubscribe_token"
