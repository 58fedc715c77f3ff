"""From stored documents to what one principal is shown of them."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.views.declaration import ViewManifest
from actors.views.rules import RuleError, Rules, Ruling
from contexts.vocabulary import Principal
from gateway.problems import QUERY_FAILED, Refusal

log = logging.getLogger("butai.gateway")

_raw: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Showing:
    """A view's documents under its rules.

    The rules have been part of the query already. They are asked once more of what it found: should the two
    ever differ, nothing is shown."""

    def __init__(self, manifest: ViewManifest) -> None:
        self.rules = Rules(manifest)
        self._view = manifest.name
        self._decode = msgspec.json.Decoder(manifest.document).decode
        names = zip(
            manifest.document.__struct_fields__, manifest.document.__struct_encode_fields__, strict=True
        )
        self._wire: Mapping[str, str] = dict(names)

    def ruling(self, principal: Principal) -> Ruling:
        """Raises Refusal when a rule cannot be seen through for this principal."""
        try:
            return self.rules.of(principal)
        except RuleError as error:
            raise self._failed(error) from error

    def shown(self, principal: Principal, document: bytes) -> bytes:
        """The document without what is kept from the principal; raises Refusal."""
        if not self.rules.any:
            return document
        try:
            typed: Any = self._decode(document)
            seen = self.rules.sees(principal, typed)
            hidden = self.rules.hidden(principal, typed)
        except BaseException as error:  # an author's code: whatever it raises, nothing is shown
            raise self._failed(error) from error
        if not seen:
            raise self._failed("the query found a document that its rule says is not visible")
        if not hidden:
            return document
        members = _raw.decode(document)
        for field in hidden:
            members.pop(self._wire[field], None)
        return msgspec.json.encode(members)

    def _failed(self, error: BaseException | str) -> Refusal:
        known = isinstance(error, str | RuleError)
        log.error(
            "a rule of a view failed",
            extra={"fields": {"view": self._view, "error": str(error)}},
            exc_info=None if known else error,  # type: ignore[arg-type]
        )
        return Refusal(QUERY_FAILED, f"A rule of the view {self._view!r} failed.")
