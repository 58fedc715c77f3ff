"""The API's page: Swagger UI from its package, served from here, without inline scripts or the internet."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from swagger_ui_bundle import swagger_ui_path

from gateway.responses import Response, respond

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI sets style attributes, so those are allowed; scripts come from here and nowhere else."""

_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Butai: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
<noscript>The description is at <a href="/openapi.json">/openapi.json</a>.</noscript>
</body>
</html>
"""
_SCRIPT = b"""SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_STYLE = b"""body { margin: 0; background: #fff; }
.swagger-ui .info { margin: 24px 0; }
.swagger-ui .scheme-container, .swagger-ui .servers-title, .swagger-ui .servers { display: none; }
"""

_SAFE = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
)


def pages() -> Mapping[str, Callable[[], Response]]:
    """The page and what it loads, by path; each is read once, when it is first asked for."""
    folder = Path(str(swagger_ui_path))
    html = b"text/html; charset=utf-8"
    script = b"text/javascript; charset=utf-8"
    style = b"text/css; charset=utf-8"
    return {
        "/": _fixed(respond(302, headers=(("Location", "/docs"),))),
        "/docs": _fixed(respond(200, _PAGE, html, (*_SAFE, ("Content-Security-Policy", POLICY)))),
        "/docs/page.js": _fixed(respond(200, _SCRIPT, script, _SAFE)),
        "/docs/page.css": _fixed(respond(200, _STYLE, style, _SAFE)),
        "/docs/swagger-ui-bundle.js": _file(folder / "swagger-ui-bundle.js", script),
        "/docs/swagger-ui.css": _file(folder / "swagger-ui.css", style),
    }


def _fixed(response: Response) -> Callable[[], Response]:
    return lambda: response


def _file(path: Path, kind: bytes) -> Callable[[], Response]:
    return cache(lambda: respond(200, path.read_bytes(), kind, _SAFE))
