"""What the container, the compose file and the units name must be there (O1)."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from bursar.ledger import Ledger
from bursar.platform.migrations import migrate
from bursar.platform.postgres.programs import find
from bursar.platform.settings import Settings, load_settings
from tests.cli.conftest import run
from tests.support import postgres

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


_RUN = re.compile(r"(?:`|^ {4}|\|\| )bursar ([^`\n|>]+)", re.MULTILINE)

_FAKE = """
import os, signal, sys
left = 2 if sys.argv[-1] == "--stubborn" else 1
def end(*_):
    global left
    left -= 1
    os.write(1, b"told to end\\n")
    if not left:
        sys.exit(3)
signal.signal(signal.SIGTERM, end)
os.write(1, " ".join(sys.argv[1:]).encode() + b"\\n")
while sys.argv[1] == "up":
    signal.pause()
"""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def services() -> dict[str, Any]:
    """The compose file's, merged keys resolved."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]


def unit(path: Path) -> dict[str, str]:
    """A unit's settings; of one that stands twice the last."""
    found = re.findall(r"^(\w+)=(.*)$", path.read_text("utf-8"), re.MULTILINE)
    return dict(found)


def commands() -> list[list[str]]:
    """Every ``bursar …`` that the files and their page run."""
    found = [yaml.safe_load(rest) for word, rest in instructions() if word == "CMD"]
    found += [s["command"] for s in services().values() if s.get("command")]
    found += [shlex.split(unit(path)["ExecStart"])[1:] for path in UNITS]
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    texts = [page, (DEPLOY / "entry.sh").read_text("utf-8")]
    spans = [span for text in texts for span in _RUN.findall(text)]
    return found + [shlex.split(span, comments=True) for span in spans]


def test_every_command_and_option_is_real() -> None:
    given = {tuple(words) for words in commands() if words != ["$@"]}
    assert {words[0] for words in given} >= {
        "up",
        "serve",
        "worker",
        "migrate",
        "backup",
        "restore",
    }
    for words in given:
        names = []
        for word in words:
            if not re.fullmatch(r"[a-z]+", word):
                break
            names.append(word)
        helped = run(*names, "--help")
        assert helped.code == 0, words
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in helped.out, f"bursar {' '.join(words)}"


def test_what_the_image_copies_is_in_the_repository() -> None:
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in [part for part in rest.split() if not part.startswith("--")][:-1]
    ]
    assert "deploy/entry.sh" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
    assert os.access(DEPLOY / "entry.sh", os.X_OK)


def test_the_image_installs_by_hash_and_runs_as_nobody_in_particular() -> None:
    steps = instructions()
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert installs
    for rest in installs:
        assert "--require-hashes" in rest or "--no-deps --no-index" in rest, rest
    words = [word for word, _ in steps]
    assert dict(steps)["USER"] == "bursar"
    assert "RUN" not in words[words.index("USER") :]
    assert "HEALTHCHECK" in words


def test_settings_that_the_files_name_are_known() -> None:
    texts = [path.read_text("utf-8") for path in DEPLOY.iterdir()]
    named = {name for text in texts for name in re.findall(r"BURSAR_[A-Z_]+", text)}
    known = (ROOT / "src/bursar/platform/settings.py").read_text("utf-8")
    passwords = {"BURSAR_OWNER_PASSWORD", "BURSAR_SERVICE_PASSWORD"}
    assert {name for name in named - passwords if name not in known} == set()


def test_the_composed_services_fit_together() -> None:
    found = services()
    volumes = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["volumes"]
    for name, service in found.items():
        for other in service.get("depends_on", {}):
            assert service["profiles"] == found[other]["profiles"], f"{name} waits for {other}"
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in volumes or (DEPLOY / source).is_file(), source
        if service["image"] == "bursar":
            assert service["read_only"]
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    given = {k: re.sub(r"\$\{\w+:-\}", "", v) for k, v in found["migrate"]["environment"].items()}
    assert load_settings(given).database_owner_url


def test_only_the_migration_has_the_owners_password() -> None:
    for name, service in services().items():
        told = yaml.safe_dump(service.get("environment", {}))
        assert ("OWNER_PASSWORD" in told) == (name in {"migrate", "postgres"}), name


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_sound_and_hardened(path: Path, tmp_path: Path) -> None:
    settings = unit(path)
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert settings[name] == "yes"
    assert (settings["ProtectSystem"], settings["User"]) == ("strict", "bursar")
    assert settings["EnvironmentFile"] == "/etc/bursar/bursar.env"
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    here = tmp_path / path.name  # its program is not installed on this machine
    here.write_text(path.read_text("utf-8").replace("/opt/bursar/bin/bursar", "/bin/true"))
    done = subprocess.run([analyze, "verify", here], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if path.name in line]
    assert (done.returncode, told) == (0, [])


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``bursar`` tells what it is told, and waits if that is ``up``."""
    program = tmp_path / "bursar"
    program.write_text(f"#!{sys.executable}\n{_FAKE}")
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_a_containers_end_stops_the_database_after_the_command(entry: dict[str, str]) -> None:
    command = ["sh", "-x", DEPLOY / "entry.sh", "up"]
    with subprocess.Popen(
        command, env=entry, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        out, traced = process.communicate(timeout=120)
    assert out == "told to end\n"
    assert process.returncode == 3
    assert "bursar db stop" in traced


def test_a_containers_command_may_take_more_than_one_word_to_end(entry: dict[str, str]) -> None:
    command = ["sh", DEPLOY / "entry.sh", "up", "--stubborn"]
    with subprocess.Popen(command, env=entry, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up --stubborn\n"
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "told to end\n"
        assert process.wait(timeout=120) == 3


@pytest.mark.parametrize("address", [None, "postgresql://h/d"])
def test_a_server_by_address_is_not_stopped(entry: dict[str, str], address: str | None) -> None:
    environment = entry | ({"BURSAR_DATABASE_URL": address} if address else {})
    done = subprocess.run(
        ["sh", "-x", DEPLOY / "entry.sh", "verify"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "verify\n"
    assert ("bursar db stop" in done.stderr) == (address is None)


def _make_roles(url: str) -> "subprocess.CompletedProcess[str]":
    psql = find(postgres.chosen_bin()).path("psql")
    return subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", "-f", DEPLOY / "roles.sql", "-d", url],
        env={"BURSAR_OWNER_PASSWORD": "own'er", "BURSAR_SERVICE_PASSWORD": "serve"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
async def test_the_roles_are_made_migrated_and_opened_as_the_page_says() -> None:
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        url = postgres.database_url(server.owner_url, "postgres")
        with psycopg.connect(url, autocommit=True) as first:
            first.execute("create role administrator superuser login password 'admin'")
        url = postgres.role_url(url, "administrator", "admin")
        with psycopg.connect(url, autocommit=True) as admin:  # as if nobody had made them
            admin.execute("drop database bursar")
            admin.execute("drop role bursar_service")
            admin.execute("alter role bursar_owner rename to nobody_knows")
        done = _make_roles(url)
        assert done.returncode == 0, done.stderr
        books = postgres.database_url(url, "bursar")
        assert migrate(postgres.role_url(books, "bursar_owner", "own%27er"))
        service = postgres.role_url(books, "bursar_service", "serve")
        async with await Ledger.open(service, settings=Settings(data_dir=Path("/no"))) as ledger:
            assert (await ledger.verify()).ok
