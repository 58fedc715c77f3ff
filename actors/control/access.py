"""What opens the bus: the settings, or the files of a node that runs the server itself."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from actors.fabric.connection import Access
from actors.settings import EMBEDDED, Settings

CONFIGURATION = Path("nats", "nats.conf")
"""The embedded server's configuration within the data directory, readable by its user alone."""

_LISTEN = re.compile(r'^listen: ("(?:[^"\\]|\\.)*")$', re.MULTILINE)
_TOKEN = re.compile(r'^authorization { token: ("(?:[^"\\]|\\.)*")', re.MULTILINE)


class NoAccess(Exception):
    """It is not known where the bus is or what opens it; one line."""


def access(settings: Settings, urls: Sequence[str], token: str | None) -> Access:
    """To the servers at ``urls``: by ``token`` if they are the node's own, else by what the settings say."""
    if settings.bus == EMBEDDED:
        return Access(urls=tuple(urls), token=token)
    files = settings.fabric
    return Access(
        urls=tuple(urls),
        credentials=files.credentials or None,
        ca=files.ca or None,
        certificate=files.certificate or None,
        key=files.key or None,
    )


def operators_access(settings: Settings) -> Access:
    """What an operator uses: of an embedded bus, what its configuration file says. Raises NoAccess."""
    if settings.bus != EMBEDDED:
        return access(settings, settings.bus_urls(), None)
    file = Path(settings.data) / CONFIGURATION
    try:
        text = file.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        raise NoAccess(f"no node runs on the data directory {settings.data}") from None
    except OSError as error:
        raise NoAccess(f"{file} cannot be read: {error.strerror}") from error
    listen, token = _LISTEN.search(text), _TOKEN.search(text)
    if listen is None or token is None:
        raise NoAccess(f"{file} does not say where the bus is")
    return Access(urls=(f"nats://{json.loads(listen[1])}",), token=json.loads(token[1]))
