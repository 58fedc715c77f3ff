"""Following: events and changed documents, sent on as they are committed and folded.

- *follower*: somebody who is sent everything from a position on, each once: a context's events, an entity's,
  or the documents of a view that events touch;
- *sink*: where a follower's messages go; it takes them at once or is given up: who is too slow comes again;
- *hub*: reads a context's events at their end, once for all followers on this worker;
- *catching up*: a follower that began further back reads pages of its own, until it meets the hub.

A position names what was sent. So whoever comes again with the last one they were given, after a cut, a
restart or on another worker, is sent what follows, without a gap and without a repeat.
"""
