"""Settings: from the environment, from a file, documented each (O5)."""

import re
from pathlib import Path

import pytest

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
