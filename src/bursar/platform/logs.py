"""Log lines on standard error: JSON for whoever collects them, plain text on a terminal (O2)."""

import logging
import sys

import structlog


def log_to_stderr(level: int, *, as_json: bool = False) -> None:
    """Send what is logged from ``level`` on to standard error, a line each."""
    tools = structlog.processors
    if sys.stderr.isatty() and not as_json:
        plain = structlog.dev.plain_traceback
        last: list[structlog.typing.Processor] = [
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)
        ]
    else:
        last = [tools.format_exc_info, tools.JSONRenderer()]
    structlog.configure(
        processors=[tools.add_log_level, tools.TimeStamper(fmt="iso", utc=True), *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_libraries(level: int) -> None:
    """Let what libraries log from ``level`` on be lines like ours."""
    logging.basicConfig(level=level, handlers=[_Ours()], force=True)


class _Ours(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell = structlog.get_logger(record.name).log
        tell(record.levelno, "library", said=record.getMessage(), exc_info=record.exc_info)
