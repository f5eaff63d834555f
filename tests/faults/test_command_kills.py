"""The same as `test_notice_kills`, of the very command that operators start (N5, P7).

Killed at any moment of its life, while it starts as well, and every other time at work.
BURSAR_FAULT_SEED repeats the choices of a run; what they hit is up to the machine.
"""

import asyncio
import os
import secrets
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from bursar.platform.settings import Settings
from tests.faults import told
from tests.faults.commands import Commands
from tests.faults.economy import set_clock
from tests.faults.strangers import Machines, PostOffice
from tests.faults.test_notice_kills import (
    DELIVERIES,
    PEOPLE,
    Kills,
    check_letters,
    check_machine,
    check_repeats,
    say,
    settings_for,
)
from tests.notices.mail.servers import office

KILLS = 6
DAYS = [1]

_LIVES_S = 3.0
_LEASED = "select count(*) from bursar.deliveries where leased_until is not null"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_the_command_tells_is_told_through_kills_at_any_moment(
    database: Any, tmp_path: Path
) -> None:
    seed = int(os.environ.get("BURSAR_FAULT_SEED") or secrets.randbelow(2**32))
    say(f"BURSAR_FAULT_SEED={seed}")
    random, post, log = Random(seed), PostOffice(seed), tmp_path / "log"
    with office(handler=post) as (_, port), Machines(seed) as machines:
        settings = settings_for(port, tmp_path)
        hook = machines.add("only")
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            told.found(owner, database.url, PEOPLE)
            asyncio.run(told.listen(database.url, settings, hook))
            with Commands(environ_of(database.url, settings), log) as commands:
                kills = Kills(owner, commands, random)
                set_clock(owner, *DAYS)
                with told.App(database.url, settings, seed, PEOPLE) as app:
                    some(kills, random, range(KILLS // 2))
                some(kills, random, range(KILLS // 2, KILLS))
                kills.let_them_finish()
                while kills.replay_parked(database.url, settings):
                    kills.let_them_finish()
                commands.stop_all()
            shown, sound = asyncio.run(told.read_inboxes(database.url, settings, PEOPLE))
            expected = told.must_be_told(owner, PEOPLE, DAYS, app.arrived)
            rows, leased = kills.ask(DELIVERIES), kills.ask(_LEASED)
    say(f"mail: {dict(post.did)}; machine: {dict(hook.did)}")
    assert {name: Counter(map(told.told, found)) for name, found in shown.items()} == expected
    check_letters(post, shown)
    check_machine(hook, shown)
    check_repeats(rows, kills.cut_off, post, [hook])
    assert leased == [(0,)]
    assert sound
    assert sum(kills.cut_off.values()) >= KILLS // 2
    assert "Traceback" not in log.read_text()


def some(kills: Kills, random: Random, numbers: range) -> None:
    """Kill at any moment, and at work, in turn."""
    for number in numbers:
        if number % 2:
            kills.after(number, random.uniform(0, _LIVES_S))
        else:
            kills.one(number)


def environ_of(url: str, settings: Settings) -> dict[str, str]:
    """Say in the environment what settings say."""
    return {
        "BURSAR_DATABASE_URL": url,
        "BURSAR_CHUNK": "250",
        "BURSAR_SMTP_URL": settings.smtp_url or "",
        "BURSAR_MAIL_FROM": settings.mail_from,
        "BURSAR_MAIL_PER_SECOND": str(settings.mail_per_second),
        "BURSAR_PUBLIC_URL": settings.public_url or "",
        "BURSAR_SECRETS_KEY": settings.secrets_key[0],
        "BURSAR_WEBHOOK_NETWORKS": settings.webhook_networks[0],
    }
