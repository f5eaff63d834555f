"""What a worker does for notices, beside the runs and never before them (N5)."""

from bursar.notices.service import Notices
from bursar.programs.duty import Duty


def duties_of(notices: Notices) -> tuple[Duty, ...]:
    """List the duties of a worker, each with the seconds from its end to its next beginning."""
    return (
        Duty("notices_follow", 1, notices.maker.follow),
        Duty("notices_dispatch", 1, notices.maker.dispatch),
        Duty("notices_ahead", 60, notices.maker.look_ahead),
        Duty("notices_operators", 10, notices.maker.tell_operators),
        Duty("notices_mail", 1, notices.send_mail),
        Duty("notices_webhooks", 1, notices.send_webhooks),
        Duty("notices_forget", 3_600, notices.forget),
    )
