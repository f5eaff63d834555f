"""What a text knows of a notice. Pure.

Templates are given words and not numbers: an amount is written as the reader writes it, with the
asset's name, so that a template cannot get a scale or a decimal point wrong.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bursar.notices.mail.languages import (
    amount_in_words,
    date_in_words,
    hour_in_words,
    locale_for,
    period_in_words,
)
from bursar.notices.mail.model import Reader
from bursar.notices.model import Kind
from bursar.platform.errors import Broken

_TEXTS: Final = (
    "program",
    "reason",
    "reference",
    "entry_kind",
    "award",
    "alert",
    "subject",
    "message",
)
_AMOUNTS: Final = ("amount", "balance", "below")
_INSTANTS: Final = {"due_at": "due", "expires_at": "expires"}


def words_of(kind: Kind, data: Mapping[str, Any], reader: Reader) -> dict[str, object]:
    """Say what the templates of a kind may use; what a notice does not have is an empty text.

    ``amount``, ``balance`` and ``below`` are written with the asset's name, an amount without its
    sign: ``taken`` is whether it was less than nothing. ``owing`` is whether the balance is, and
    ``by_day`` whether the period is named by the day it begins on.
    ``due`` and ``expires`` are days, ``due_hour`` and ``expires_hour`` the hours with the zone.
    ``about`` is an alert's or a summary's subject. Raises `Broken` ``notice_data``.
    """
    locale = locale_for(reader.locale, reader.language)
    words: dict[str, object] = {
        "kind": kind.value,
        "language": reader.language,
        "product": reader.product,
        "name": reader.name,
        "unsubscribe_url": reader.unsubscribe_url,
    }
    try:
        texts = {name: str(data.get(name) or "") for name in _TEXTS}
        words |= {"about" if name == "subject" else name: text for name, text in texts.items()}
        period = str(data.get("period") or "")
        words["period"] = period_in_words(period, locale)
        words["by_day"] = len(period) == len("2026-12-01")
        code = str(data.get("asset") or "")
        words["asset"] = asset = reader.names.get(code, {}).get(reader.language) or code
        for name in _AMOUNTS:
            words[name] = ""
            if (number := data.get(name)) is not None:
                number = abs(number) if name == "amount" else number
                words[name] = f"{amount_in_words(number, reader.scales[code], locale)} {asset}"
        words["taken"] = int(data.get("amount") or 0) < 0
        words["owing"] = int(data.get("balance") or 0) < 0
        for key, name in _INSTANTS.items():
            words[name] = words[f"{name}_hour"] = ""
            if (text := data.get(key)) is not None:
                instant = datetime.fromisoformat(text)
                words[name] = date_in_words(instant, reader.zone, locale)
                words[f"{name}_hour"] = hour_in_words(instant, reader.zone, locale)
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(
            "notice_data", f"a notice {kind} holds what no text can say: {type(error).__name__}"
        ) from error
    return words
