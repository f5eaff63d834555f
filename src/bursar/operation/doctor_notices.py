"""What the doctor finds about telling people and machines, and what to do about it. Pure (O2, N5).

What keeps letters and webhooks from going out at all is a danger; what an operator should look at
sooner or later is advice.
"""

from collections.abc import Iterator
from typing import Final

from bursar.notices.model import Channel
from bursar.notices.sending.model import FAILURES
from bursar.operation.symptoms import Check, Facts, Finding, advice, danger, spelled

LATE_S: Final = 600
"""What is due for so long without being sent waits for somebody who is not there."""

_VERY_LATE_S: Final = 86_400
_SHOWN: Final = 3


def check_mail(facts: Facts) -> Iterator[Finding]:
    """Letters need a server, a sender, and a link that ends them; alerts need letters."""
    notices = facts.notices
    if notices is None:
        return
    if notices.mail_server and not notices.mail_from:
        yield danger(
            "mail",
            "a mail server is named, and nobody whom letters come from",
            "set BURSAR_MAIL_FROM, like Sports Club <coins@club.example>",
        )
    if notices.mail_server and not notices.public_url:
        yield advice(
            "mail",
            "letters have no link that ends them: mailbox providers take such mail for spam",
            "set BURSAR_PUBLIC_URL to where people reach the HTTP API",
        )
    if notices.mail_server:
        return
    for queue in notices.queues:
        if queue.channel is Channel.EMAIL and queue.waiting:
            yield danger(
                "mail",
                f"{queue.waiting} letters wait, and no mail server is named here",
                "set BURSAR_SMTP_URL in this process and in every worker",
            )
    if notices.operators:
        yield advice(
            "mail",
            "the economy names operators to write to, and no mail server is named",
            "set BURSAR_SMTP_URL and BURSAR_MAIL_FROM; until then `bursar alerts` tells",
        )


def check_queues(facts: Facts) -> Iterator[Finding]:
    """What is parked is sent to nobody until somebody says so; what is due should be on its way."""
    if facts.notices is None:
        return
    for queue in facts.notices.queues:
        if queue.parked:
            yield advice(
                "deliveries",
                f"{queue.parked} deliveries by {queue.channel} are parked",
                f"`bursar notices deliveries --state parked --channel {queue.channel}` lists them; "
                "mend the cause, then `bursar notices replay`, or after a restore "
                "`bursar notices release`",
            )
        if queue.failing:
            yield advice(
                "deliveries",
                f"deliveries by {queue.channel} that failed {FAILURES} times or more, and are "
                f"tried again: {queue.failing}",
                f"`bursar notices delivery {queue.example}` says of one of them why; what is not "
                "taken for three days is parked",
            )
        if queue.behind_s >= LATE_S:
            say = danger if queue.behind_s >= _VERY_LATE_S else advice
            yield say(
                "deliveries",
                f"what is to go by {queue.channel} has been due for {spelled(queue.behind_s)}",
                "run `bursar worker`, or `bursar notices send` often; if one runs, look at "
                "BURSAR_MAIL_PER_SECOND, and at what is slow to answer",
            )


def check_follower(facts: Facts) -> Iterator[Finding]:
    """What nobody has followed nobody is told of but in the app."""
    notices = facts.notices
    if notices is None or notices.behind_s < LATE_S:
        return
    say = danger if notices.behind_s >= _VERY_LATE_S else advice
    yield say(
        "notices",
        f"what was posted {spelled(notices.behind_s)} ago has not been told of yet",
        "run `bursar worker`, or `bursar notices send` often; if one runs, its log says why",
    )


def check_webhooks(facts: Facts) -> Iterator[Finding]:
    """Webhooks that are off let wait what is made; without its key no secret signs."""
    notices = facts.notices
    if notices is None:
        return
    for name, why in notices.webhooks.items():
        if why:
            told = "answered 410 Gone" if why == "gone" else "an operator switched it off"
            yield advice(
                "webhooks",
                f"{name} is off ({told}), and what is made for it waits",
                f"`bursar webhook change {name} --on`, or `bursar webhook remove {name}`",
            )
    if notices.webhooks and not notices.sealed:
        yield danger(
            "secrets_key",
            f"there are webhooks ({len(notices.webhooks)}), and no key for their secrets here: "
            "nothing is sent to them",
            "set BURSAR_SECRETS_KEY as it was when they were added, in every process; for a data "
            "directory bring secrets.key back",
        )
    if notices.unreadable:
        yield danger(
            "secrets_key",
            f"the secrets of {_some(notices.unreadable)} are sealed with another key",
            "add that key to BURSAR_SECRETS_KEY, or `bursar webhook rotate ID --overlap 0`",
        )


def check_templates(facts: Facts) -> Iterator[Finding]:
    """A template that fails lets its letters wait."""
    if facts.notices is not None and facts.notices.failures:
        yield danger(
            "templates",
            f"templates fail, and their letters wait: {_some(facts.notices.failures)}",
            "mend them in BURSAR_TEMPLATES; `bursar notices templates` tries them all",
        )


NOTICE_CHECKS: Final[tuple[Check, ...]] = (
    check_mail,
    check_queues,
    check_follower,
    check_webhooks,
    check_templates,
)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
