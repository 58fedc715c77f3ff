"""The control plane: what operators ask of nodes and workers, over the bus.

| word | here |
|---|---|
| subject | ``subjects.py``: where a worker, a node, everyone is asked |
| request, reply | ``messages.py``: small MessagePack structs, versioned |
| facts | ``facts.py``: what a worker or a node tells of itself |
| responder | ``responder.py``: answers requests on subjects |
| pin | ``pins.py``: an operator's word on where a shard is to live |
| operator | ``operator.py``: the asking side |

Nothing here is on the way of a command, and nothing here can block one for long: nearly every answer is given
at once from what is in memory. What takes long is begun, and looked at with the next request; what a store
must do is answered when it is done, by one of a few tasks with a deadline.
"""
