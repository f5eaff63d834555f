"""What notices there are, what is in force of them, and how they read (N2, N4)."""

import asyncio
from typing import Annotated, Final

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, QueryParameter

from bursar.api.call import Call
from bursar.api.scopes import READERS
from bursar.api.wire.notices import NoticeKind
from bursar.api.wire.notices_texts import (
    KindList,
    LetterView,
    NoticeSettingsView,
    TemplateFailures,
    failure_view,
    kind_views,
    letter_view,
    settings_view,
)

_Language = Annotated[str, QueryParameter(min_length=2, max_length=3, pattern=r"^[a-z]{2,3}$")]


@get("/v1/notices/kinds", opt={"scopes": READERS}, tags=["Notices"])
async def list_notice_kinds(request: Call) -> KindList:
    """List every kind of notice, with the ways that are in force unless a holder chooses."""
    return KindList(items=kind_views(await request.services.notices.settings()))


@get("/v1/notices/settings", opt={"scopes": READERS}, tags=["Notices"])
async def show_notice_settings(request: Call) -> NoticeSettingsView:
    """Show what the economy file says of notices, as it is in force."""
    return settings_view(await request.services.notices.settings())


@get("/v1/notices/preview", opt={"scopes": READERS}, tags=["Notices"])
async def preview_notice(
    request: Call, kind: FromQuery[NoticeKind], language: _Language = "en"
) -> LetterView:
    """Write a kind of notice with made-up data, in a language, as it would be sent."""
    preview = request.services.notices.preview
    return letter_view(await asyncio.to_thread(preview, kind, language))


@get("/v1/notices/templates", opt={"scopes": READERS}, tags=["Notices"])
async def check_notice_templates(request: Call) -> TemplateFailures:
    """Try every template in every language with made-up data; what fails is listed."""
    notices = request.services.notices
    found = await asyncio.to_thread(notices.check_templates)
    return TemplateFailures(
        items=[failure_view(one) for one in found], languages=list(notices.texts.languages())
    )


ROUTES: Final[list[BaseRouteHandler]] = [
    list_notice_kinds,
    show_notice_settings,
    preview_notice,
    check_notice_templates,
]
