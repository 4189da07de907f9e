"""The workspace's reports over HTTP, read-only: for whoever has the token, which a browser gives once by its address.

Started by `tribute up` as `python -m tribute.server.reports FOLDER PORT`, with the token in TRIBUTE_REPORTS_TOKEN: what
stands in a command, every account of the machine can read.
"""

import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tribute.errors import WorkspaceError
from tribute.html import template
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

TOKEN = "TRIBUTE_REPORTS_TOKEN"
COOKIE = "tribute_reports"
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def reports_token(workspace: Workspace) -> str:
    """The workspace's token, made where there is none; only its owner can read the file.

    Raises WorkspaceError for an empty file.
    """
    file = workspace.keys / "reports.token"
    if not file.exists():
        file.parent.mkdir(exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
            written.write(secrets.token_urlsafe(24))
    token = file.read_text(encoding="utf-8").strip()
    if not token:
        raise WorkspaceError(f"{file} is empty, expected the token of the reports; delete it, and a new one is made")
    return token


def create_app(folder: Path, token: str) -> "Starlette":
    """An application that shows the pages of a folder to those who have the token, and to others nothing."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    async def guard(request: "Request", proceed: Callable[["Request"], Awaitable["Response"]]) -> "Response":
        given = request.query_params.get("token")
        if _same(given or request.cookies.get(COOKIE, ""), token):
            answer = await proceed(request) if given is None else RedirectResponse(request.url.path, 303)
            if given is not None:
                answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        else:
            answer = PlainTextResponse("Open the address that `tribute up` printed: it has a token.\n", 403)
        answer.headers.update(HEADERS)
        return answer

    def index(_request: "Request") -> "Response":
        pages = sorted((page.relative_to(folder).as_posix() for page in folder.rglob("*.html")), reverse=True)
        shown = [(quote(page), page.removesuffix(".html")) for page in pages]
        return HTMLResponse(template("tribute.report", "reports.html").render(pages=shown))

    routes = [Route("/", index), Mount("/", StaticFiles(directory=folder))]
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)])


def _same(given: str, token: str) -> bool:
    return bool(given) and secrets.compare_digest(given.encode(), token.encode())


def main() -> None:
    """Serve the folder and port of the command line on this machine's own address."""
    import uvicorn

    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    app = create_app(folder, os.environ[TOKEN])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, server_header=False, log_level="warning")


if __name__ == "__main__":
    main()
