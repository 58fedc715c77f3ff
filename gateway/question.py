"""From a request's path and query string to a context's question."""

from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from contexts.vocabulary import Query
from gateway.filters import instant_text
from gateway.json_rules import INTEGERS
from gateway.problems import INVALID_PATH, INVALID_QUERY, Refusal
from gateway.query_string import impossible, texts, unknown


class QuestionDecoder:
    """Decodes the questions of one route: ``filled`` names the fields that the path fills."""

    def __init__(self, question: type[Query], filled: Sequence[str]) -> None:
        self.question = question
        self.filled = tuple(filled)
        fields = {field.encode_name: field for field in msgspec.structs.fields(question)}
        hints = get_type_hints(question, include_extras=True)
        self.types: Mapping[str, Any] = {wire: hints[field.name] for wire, field in fields.items()}
        """By the name on the wire."""
        self.required = tuple(wire for wire, field in fields.items() if field.required and wire not in filled)
        self.asked = tuple(wire for wire in fields if wire not in filled)
        """What the query string may fill."""
        self._names = {wire: field.name for wire, field in fields.items()}
        self._moments = frozenset(wire for wire, kind in self.types.items() if _holds_moment(kind))

    def decode(self, parameters: Sequence[str], query: str | None) -> Query:
        """Raises Refusal."""
        values: dict[str, Any] = {}
        for wire, text in zip(self.filled, parameters, strict=True):
            try:
                values[self._names[wire]] = self._value(wire, text)
            except ValueError as error:
                raise Refusal(INVALID_PATH, f"{wire} is {text!r}: {error}.") from None
        asked = texts(query)
        for wire, text in asked.items():
            if wire not in self.asked:
                raise unknown(wire, self.asked)
            try:
                values[self._names[wire]] = self._value(wire, text)
            except ValueError as error:
                raise impossible(wire, text, f"something else: {error}") from None
        for wire in self.required:
            if wire not in asked:
                raise Refusal(INVALID_QUERY, f"The query parameter {wire!r} is missing.")
        try:
            return self.question(**values)
        except (ValueError, TypeError) as error:  # the question's own __post_init__
            raise Refusal(INVALID_QUERY, " ".join(str(error).split())) from None

    def _value(self, wire: str, text: str) -> Any:
        """Raises ValueError."""
        if "\x00" in text:
            raise ValueError("NUL is not allowed")
        if wire in self._moments:
            text = instant_text(text)
        # A ValidationError is a ValueError.
        value = msgspec.convert(text, self.types[wire], strict=False)
        if isinstance(value, int) and value not in INTEGERS:
            raise ValueError("expected an integer of 64 bits")
        return value


def _holds_moment(annotation: Any) -> bool:
    info = msgspec.inspect.type_info(annotation)
    members = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return any(isinstance(member, msgspec.inspect.DateTimeType) for member in members)
