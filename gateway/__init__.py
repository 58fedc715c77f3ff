"""The HTTP edge, and what starts and stops a worker.

- a *listener* owns the socket and its *connections*; a connection turns bytes into *exchanges*, in order;
- an *exchange* is one request and its one answer;
- the *router* leads from a path to an *endpoint*, which answers an exchange now or later;
- an endpoint of a context makes an *ask* and tells it to the context's *region*;
- a *problem* is an answer above 399, a *refusal* is the exception that leads to one of the gateway's own.

``server.Gateway`` puts these together; ``worker`` puts the gateway, the regions and their journals together.
"""
