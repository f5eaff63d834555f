"""Settings from the environment, and from a file that it names (O1, O5).

Their defaults and bounds are in docs/settings.md.

| variable                    | meaning                                                  |
|-----------------------------|----------------------------------------------------------|
| `BURSAR_CONFIG`             | a TOML file of settings; the environment wins over it    |
| `BURSAR_DATABASE_URL`       | a PostgreSQL server to use instead of the embedded one   |
| `BURSAR_DATABASE_OWNER_URL` | the same server as the owner of the tables, to migrate   |
| `BURSAR_POOLER`             | `on`: the first address is a pooler in transaction mode  |
| `BURSAR_DATA_DIR`           | where the embedded server keeps its data                 |
| `BURSAR_POSTGRES_BIN`       | a directory of PostgreSQL programs to use for it         |
| `BURSAR_CHECKSUM_KEY`       | hex, 32 bytes or more: entries are sealed with HMAC (L5) |
| `BURSAR_CHECKSUM_KEY_ID`    | number of that key, 1 to 32767, written on each entry    |
| `BURSAR_VERIFY_HOURS`       | a worker checks all the books so often; 0 is never       |
| `BURSAR_KEEP_DAYS`          | what only serves machines is forgotten after so long     |
| `BURSAR_PROGRAMS`           | `on`, or `off`: no program gives anything                |
| `BURSAR_DRY_RUN`            | `on`: runs only count what they would give; else `off`   |
| `BURSAR_CHUNK`              | holders in a part of a run, 1 to 10000                   |
| `BURSAR_TICK_S`             | seconds from one look of a worker at what is due to the next |
| `BURSAR_HOST`, `BURSAR_PORT` | where the API listens, 127.0.0.1 and 8600                |
| `BURSAR_PROCESSES`          | processes of the API, 1 to 64                            |
| `BURSAR_MAX_BODY`           | bytes of a request's body at most                        |
| `BURSAR_TRUSTED_PROXIES`    | addresses whose X-Forwarded-For is believed, `*` for all |
| `BURSAR_ACCESS_LOG`         | `on`: every request is logged, not only slow and failed ones |
| `BURSAR_LOG_JSON`           | `on`: logs are JSON on a terminal, too                   |
| `BURSAR_OPEN_METRICS`       | `on`: /metrics asks for no key                           |
| `BURSAR_KEY_PER_MINUTE`     | requests a minute of an API key without a rate of its own |
| `BURSAR_HOLDER_PER_MINUTE`  | requests a minute of a holder, with any number of tokens |
| `BURSAR_SMTP_URL`           | where e-mail is handed in (N2); none is sent without it  |
| `BURSAR_MAIL_FROM`          | from whom e-mail comes, a name and an address            |
| `BURSAR_MAIL_PER_SECOND`    | e-mails a second at most, of all workers together        |
| `BURSAR_PUBLIC_URL`         | where people reach the API, for links in e-mail          |
| `BURSAR_TEMPLATES`          | a directory of templates that replace Bursar's own       |
| `BURSAR_SECRETS_KEY`        | Fernet keys, commas between: secrets are kept encrypted  |
| `BURSAR_WEBHOOK_NETWORKS`   | private networks that webhooks may reach (N3)            |
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bursar.platform import settings_forms as forms
from bursar.platform.errors import Invalid
from bursar.platform.settings_file import with_file

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process was told by its environment."""

    data_dir: Path
    database_url: str | None = None
    database_owner_url: str | None = None
    pooler: bool = False
    postgres_bin: Path | None = None
    checksum_key: bytes | None = msgspec.field(default=None)
    checksum_key_id: int = 1
    verify_hours: int = 24
    keep_days: int = 400
    programs: bool = True
    dry_run: bool = False
    chunk: int = 10_000
    tick_s: int = 60
    host: str = "127.0.0.1"
    port: int = 8600
    processes: int = 1
    max_body: int = 8 * 1024 * 1024
    trusted_proxies: str = ""
    access_log: bool = False
    log_json: bool = False
    open_metrics: bool = False
    key_per_minute: int = 600_000
    holder_per_minute: int = 120
    smtp_url: str | None = None
    mail_from: str = ""
    mail_per_second: int = 10
    public_url: str | None = None
    templates: Path | None = None
    secrets_key: tuple[str, ...] = ()
    webhook_networks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        where = "server" if self.database_url else str(self.data_dir)
        return f"Settings({where}, keyed={self.checksum_key is not None})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show no more in a traceback that Rich prints: some fields are secrets."""
        return [("keyed", self.checksum_key is not None)]


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Choose ``/var/lib/bursar`` for root, else ``$XDG_DATA_HOME/bursar`` (``~/.local/share``).

    Root's home is closed to the unprivileged account that PostgreSQL then runs as.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/bursar")
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bursar"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises `Invalid` ``setting_invalid`` naming the variable."""
    given = os.environ if environ is None else environ
    env = with_file(given, Settings.__struct_fields__)
    data_dir = env.get("BURSAR_DATA_DIR")
    postgres_bin = env.get("BURSAR_POSTGRES_BIN")
    smtp_url = _formed(env, "BURSAR_SMTP_URL", forms.smtp_url)
    return Settings(
        data_dir=Path(data_dir).expanduser() if data_dir else default_data_dir(env),
        database_url=env.get("BURSAR_DATABASE_URL") or None,
        database_owner_url=env.get("BURSAR_DATABASE_OWNER_URL") or None,
        pooler=_switch(env, "BURSAR_POOLER", on=False),
        postgres_bin=Path(postgres_bin).expanduser() if postgres_bin else None,
        checksum_key=_key(env.get("BURSAR_CHECKSUM_KEY")),
        checksum_key_id=_number(env, "BURSAR_CHECKSUM_KEY_ID", 1, 32767),
        verify_hours=_number(env, "BURSAR_VERIFY_HOURS", 24, 8760, least=0),
        keep_days=_number(env, "BURSAR_KEEP_DAYS", 400, 36_500, least=31),
        programs=_switch(env, "BURSAR_PROGRAMS", on=True),
        dry_run=_switch(env, "BURSAR_DRY_RUN", on=False),
        chunk=_number(env, "BURSAR_CHUNK", 10_000, 10_000),
        tick_s=_number(env, "BURSAR_TICK_S", 60, 86_400),
        host=env.get("BURSAR_HOST") or "127.0.0.1",
        port=_number(env, "BURSAR_PORT", 8600, 65_535),
        processes=_number(env, "BURSAR_PROCESSES", 1, 64),
        max_body=_number(env, "BURSAR_MAX_BODY", 8 * 1024 * 1024, 256 * 1024 * 1024),
        trusted_proxies=env.get("BURSAR_TRUSTED_PROXIES") or "",
        access_log=_switch(env, "BURSAR_ACCESS_LOG", on=False),
        log_json=_switch(env, "BURSAR_LOG_JSON", on=False),
        open_metrics=_switch(env, "BURSAR_OPEN_METRICS", on=False),
        key_per_minute=_number(env, "BURSAR_KEY_PER_MINUTE", 600_000, 100_000_000),
        holder_per_minute=_number(env, "BURSAR_HOLDER_PER_MINUTE", 120, 100_000_000),
        smtp_url=smtp_url,
        mail_from=_mail_from(env, needed=smtp_url is not None),
        mail_per_second=_number(env, "BURSAR_MAIL_PER_SECOND", 10, 100_000),
        public_url=_formed(env, "BURSAR_PUBLIC_URL", forms.public_url),
        templates=_formed(env, "BURSAR_TEMPLATES", forms.directory),
        secrets_key=_formed(env, "BURSAR_SECRETS_KEY", forms.fernet_keys),
        webhook_networks=_formed(env, "BURSAR_WEBHOOK_NETWORKS", forms.networks),
    )


def _formed(env: Mapping[str, str], name: str, form: Callable[[str, str | None], T]) -> T:
    return form(name, env.get(name))


def _mail_from(env: Mapping[str, str], *, needed: bool) -> str:
    name = "BURSAR_MAIL_FROM"
    said = _formed(env, name, forms.sender)
    if needed and not said:
        raise Invalid("setting_invalid", f"with BURSAR_SMTP_URL goes {name}", setting=name)
    return said


def _key(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 32:
        raise Invalid(
            "setting_invalid",
            "BURSAR_CHECKSUM_KEY must be at least 64 hexadecimal digits",
            setting="BURSAR_CHECKSUM_KEY",
        )
    return key


def _number(env: Mapping[str, str], name: str, default: int, most: int, least: int = 1) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise Invalid(
            "setting_invalid", f"{name} must be a whole number from {least} to {most}", setting=name
        )
    return int(text)


def _switch(env: Mapping[str, str], name: str, *, on: bool) -> bool:
    text = env.get(name)
    if not text:
        return on
    if text.lower() not in ("on", "off"):
        raise Invalid("setting_invalid", f"{name} must be on or off", setting=name)
    return text.lower() == "on"
