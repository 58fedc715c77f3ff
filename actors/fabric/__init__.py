"""How workers reach each other: NATS.

| word | here | meaning |
|---|---|---|
| envelope | `envelope.py` | asks and answers as bytes: MessagePack, versioned, never pickled |
| codec | `codec.py` | between an ask of this process and its form on the wire |
| connection | `connection.py` | a worker's one link to NATS, kept up for ever |
| courier | `courier.py` | brings asks to other workers and their answers back, many in one message |
| membership | `membership.py` | who is there, told by heartbeats; `members.py` is the pure view |
| embedded server | `server.py` | a NATS of the node's own, on loopback |

Nothing here knows who owns a shard. Whatever arrives is bytes from outside until it has been decoded within
limits.
"""
