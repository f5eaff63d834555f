"""All letters in all languages as files, for whoever wants to read them as a reader does."""

from pathlib import Path

from bursar.notices.mail.render import Texts
from bursar.notices.mail.samples import SAMPLES, sample_reader


def write_all(folder: Path, texts: Texts | None = None) -> list[Path]:
    """Write ``LANG-KIND.txt`` and ``.html``, of ours unless others are given."""
    texts = texts or Texts()
    written = []
    for language in texts.languages():
        for kind, data in SAMPLES.items():
            done = texts.render(kind, data, sample_reader(language))
            plain = f"Subject: {done.subject}\nSummary: {done.summary}\n\n{done.text}"
            for ending, text in (("txt", plain), ("html", done.html)):
                path = folder / f"{language}-{kind}.{ending}"
                path.write_text(text, "utf-8")
                written.append(path)
    return written
