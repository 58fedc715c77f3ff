"""From a request's body and path parameters to a command.

Rules, each with its answer: not JSON, or a repeated key (400 malformed-json); nested deeper than the
setting (400 nested-too-deeply); JSON that does not fit the command, a field that the path fills already,
NUL or a lone surrogate in a text, an integer beyond 64 bits (422 invalid-body, with a JSON Pointer).
"""

import re
from typing import Any, get_type_hints

import msgspec

from contexts.vocabulary import Command
from gateway import json_rules
from gateway.json_rules import INTEGERS, escape
from gateway.problems import INVALID_BODY, INVALID_PATH, MALFORMED_JSON, FieldError, Refusal

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NAMED = re.compile(r"^Object (?:contains unknown|missing required) field `(.*)`$", re.DOTALL)


class BodyDecoder:
    """Decodes bodies of one route: ``filled`` names the command's fields that the path fills.

    Flat commands (scalars only) take a short cut round the exact check of ``json_rules``: text without a
    backslash has no escapes, so no NUL and no surrogates, and a repeated key shows as its name in quotes.
    """

    def __init__(self, command: type[Command], filled: tuple[str, ...], nesting: int) -> None:
        self.command = command
        self.filled = filled
        self.fields = tuple(f for f in msgspec.structs.fields(command) if f.encode_name not in filled)
        self.body_type = _without(command, filled)
        self.needs_body = any(f.required for f in self.fields)
        self._nesting = nesting
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.body_type)
        self._flat = all(_is_scalar(f.type) for f in self.fields)
        self._names = tuple(b'"%s"' % f.encode_name.encode() for f in self.fields)
        self._integers = tuple(f.name for f in self.fields if _may_be_integer(f.type))
        types = get_type_hints(command, include_extras=True)
        by_wire = {f.encode_name: f for f in msgspec.structs.fields(command)}
        self._parameters = tuple((by_wire[name].name, types[by_wire[name].name]) for name in filled)

    def decode(self, body: bytes, parameters: tuple[str, ...]) -> Command:
        """The command; ``parameters`` are the values of ``filled``. Raises Refusal."""
        body = body or b"{}"
        try:
            if not self._flat or b"\\" in body or self._may_repeat(body):
                json_rules.check(body, self._nesting)
            decoded = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            json_rules.check(body, self._nesting)
            raise _misfit(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            json_rules.check(body, self._nesting)
            raise Refusal(MALFORMED_JSON, str(error)) from None
        for name in self._integers:
            value = getattr(decoded, name)
            if isinstance(value, int) and value not in INTEGERS:
                json_rules.check(body, self._nesting)
        return self._filled(decoded, parameters) if self.filled else decoded

    def _may_repeat(self, body: bytes) -> bool:
        for name in self._names:  # noqa: SIM110  (a generator would double the cost of the hot path)
            if body.count(name) > 1:
                return True
        return False

    def _filled(self, decoded: Any, parameters: tuple[str, ...]) -> Command:
        values = {f.name: getattr(decoded, f.name) for f in self.fields}
        for (name, kind), text in zip(self._parameters, parameters, strict=True):
            try:
                value = text if kind is str else msgspec.convert(text, kind, strict=False)
            except msgspec.ValidationError as error:
                raise Refusal(INVALID_PATH, f"{name}: {error}") from None
            if isinstance(value, int) and value not in INTEGERS:
                raise Refusal(INVALID_PATH, f"{name}: Expected an integer of 64 bits at most.")
            values[name] = value
        try:
            return self.command(**values)
        except (ValueError, TypeError) as error:  # the command's own __post_init__
            raise Refusal(INVALID_BODY, str(error), [FieldError("", str(error))]) from None


def _without(command: type[Command], filled: tuple[str, ...]) -> type:
    """The command's struct without the fields that the path fills."""
    if not filled:
        return command
    types = get_type_hints(command, include_extras=True)
    fields: list[Any] = []
    for f in msgspec.structs.fields(command):
        if f.encode_name in filled:
            continue
        default: Any = msgspec.field(name=f.encode_name)
        if f.default is not msgspec.NODEFAULT:
            default = msgspec.field(default=f.default, name=f.encode_name)
        elif f.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=f.default_factory, name=f.encode_name)
        fields.append((f.name, types[f.name], default))
    return msgspec.defstruct(
        f"{command.__name__}Body",
        fields,
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
        module=command.__module__,
    )


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types an annotation stands for, unions and ``Annotated`` taken apart."""
    info = msgspec.inspect.type_info(annotation)
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


_SCALAR_INFO = (
    msgspec.inspect.StrType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.BoolType,
    msgspec.inspect.NoneType,
    msgspec.inspect.DateTimeType,
    msgspec.inspect.DateType,
    msgspec.inspect.TimeType,
    msgspec.inspect.TimeDeltaType,
    msgspec.inspect.DecimalType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.EnumType,
    msgspec.inspect.LiteralType,
)


def _is_scalar(annotation: Any) -> bool:
    return all(isinstance(member, _SCALAR_INFO) for member in _members(annotation))


def _may_be_integer(annotation: Any) -> bool:
    return any(isinstance(member, msgspec.inspect.IntType) for member in _members(annotation))


def _misfit(error: msgspec.ValidationError) -> Refusal:
    """msgspec says ``Expected `int`, got `str` - at `$.slot.guests```; clients get a JSON Pointer."""
    text = str(error)
    found = _PLACE.match(text)
    assert found is not None  # the pattern matches every text
    what, path = found["what"], found["path"] or ""
    pointer = "".join("/" + escape(name or index) for name, index in _STEP.findall(path))
    named = _NAMED.match(what)
    if named:
        pointer += "/" + escape(named[1])
    return Refusal(INVALID_BODY, text, [FieldError(pointer, what)])
