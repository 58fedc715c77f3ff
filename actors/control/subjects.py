"""The subjects of the control plane. They are stored nowhere, but two releases must agree on them."""


def everyone(cluster: str) -> str:
    """All workers and nodes; each answers for itself."""
    return f"butai.{cluster}.control.everyone"


def worker(cluster: str, id: str) -> str:
    return f"butai.{cluster}.control.worker.{id}"


def node(cluster: str, id: str) -> str:
    return f"butai.{cluster}.control.node.{id}"


def pins_bucket(cluster: str) -> str:
    """The key-value bucket of pins."""
    return f"butai-{cluster}-pins"
