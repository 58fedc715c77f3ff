"""``host:port`` as the gateway's ``bind`` states it."""

import ipaddress
import re
from typing import NamedTuple

HOST = re.compile(r"[\w.:%-]+")


class Address(NamedTuple):
    """Where a server listens. Port 0 means any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True when only this host can reach it; a name other than ``localhost`` is not trusted to be."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """``127.0.0.1:8080``, ``localhost:0`` or ``[::1]:8080``; raises ValueError."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not colon or (":" in host) != bracketed or not HOST.fullmatch(host):
        raise ValueError(text)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError(text)
    return Address(host, int(port))
