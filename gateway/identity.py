"""Who asks. Until authentication is configured, everyone is the anonymous principal."""

from contexts.vocabulary import ANONYMOUS, Principal
from gateway.exchange import Exchange


def principal(exchange: Exchange) -> Principal:
    """The one place where a request becomes a principal."""
    return ANONYMOUS
