"""Connections to a context's views, which lie in the journal's database."""

from actors.journal.postgres.session import Session, connect


def schema(context: str) -> str:
    """Its name. No context is called so: their names are identifiers."""
    return f"{context}.views"


async def connect_to_views(url: str, context: str, seconds: float) -> Session:
    """Connect within ``seconds``. Raises ``JournalUnavailable``."""
    quoted = schema(context).replace('"', '""')
    settings = {
        "application_name": f"butai {context} views",
        "search_path": f'"{quoted}"',
        # A crash of the server may lose what was folded last, together with its position: it is folded again.
        "synchronous_commit": "off",
        # A worker that stops in the middle keeps others waiting for no longer.
        "idle_in_transaction_session_timeout": str(max(1, int(seconds * 1000))),
        # Which index is best depends on what is asked for.
        "plan_cache_mode": "auto",
        # Answers in several parts keep their order.
        "max_parallel_workers_per_gather": "0",
    }
    return await connect(url, context, seconds, settings)
