"""Values for the settings' sections, checked one by one: what is wrong with each, in a line."""

import difflib
import math
import re
import reprlib
from collections.abc import Iterable
from typing import Any

import msgspec

from actors.plain_yaml import parse_yaml
from actors.settings import Settings, without_login

KEY = re.compile(r"[\w.-]+")


class Values:
    """Checks values against the sections' fields; every problem is noted, none is raised."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def convert_section(self, document: Any, section: type[Any], path: tuple[str, ...]) -> dict[str, Any]:
        """The given fields of a section, nested; unknown keys and bad values become problems."""
        if not isinstance(document, dict):
            where = ".".join(path) or "cluster.yaml"
            self.problems.append(f"{where}: expected a mapping of keys to values, found {show(document)}")
            return {}
        fields = _fields(section)
        values: dict[str, Any] = {}
        for key, value in document.items():
            inner = (*path, key if isinstance(key, str) and KEY.fullmatch(key) else reprlib.repr(key))
            if key not in fields:
                self.problems.append(f"{'.'.join(inner)}: {_unknown(inner)}")
            elif _is_section(fields[key]):
                # A key without a value is YAML's way to say "nothing here": the defaults.
                values[key] = self.convert_section({} if value is None else value, fields[key], inner)
            else:
                self._convert(value, fields[key], ".".join(inner), values, key)
        return values

    def override(self, origin: str, path: tuple[str, ...], text: str, values: dict[str, Any]) -> None:
        """Set one key; the text is read as YAML, or as it stands where text is expected."""
        section: type[Any] = Settings
        for step in path[:-1]:
            inner = _fields(section).get(step)
            if inner is None or not _is_section(inner):
                self.problems.append(f"{origin}: {_unknown(path)}")
                return
            section, values = inner, values.setdefault(step, {})
        key = path[-1]
        kind = _fields(section).get(key)
        if kind is None or _is_section(kind):
            self.problems.append(f"{origin}: {_unknown(path)}")
            return
        try:
            value = parse_yaml(text)
        except ValueError as error:
            if not _is_text(kind):
                self.problems.append(f"{origin}: {error}")
                return
            value = None
        if _is_text(kind) and not isinstance(value, str):
            value = text
        self._convert(value, kind, origin, values, key)

    def _convert(self, value: Any, kind: Any, where: str, values: dict[str, Any], key: str) -> None:
        try:
            converted = msgspec.convert(value, kind)
        except msgspec.ValidationError:
            self.problems.append(f"{where}: expected {_expected(kind)}, found {show(value)}")
            return
        if isinstance(converted, float) and not math.isfinite(converted):
            self.problems.append(f"{where}: expected {_expected(kind)}, found {show(value)}")
            return
        values[key] = converted

    def build(self, values: dict[str, Any], section: type[Any]) -> Any:
        """The section of values that were converted already."""
        fields = _fields(section)
        return section(
            **{k: self.build(v, fields[k]) if _is_section(fields[k]) else v for k, v in values.items()}
        )


def keys(section: type[Any] = Settings, path: tuple[str, ...] = ()) -> Iterable[str]:
    """Every key's dotted path."""
    for name, kind in _fields(section).items():
        if _is_section(kind):
            yield from keys(kind, (*path, name))
        else:
            yield ".".join((*path, name))


def _fields(section: type[Any]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(section)}


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_text(kind: Any) -> bool:
    described = msgspec.inspect.type_info(kind)
    if isinstance(described, msgspec.inspect.Metadata):
        described = described.type
    return isinstance(described, msgspec.inspect.StrType | msgspec.inspect.LiteralType)


def _unknown(path: tuple[str, ...]) -> str:
    """The key is not there; the nearest one is: by its whole path, else by its last name anywhere."""
    known = list(keys())
    sections = {key.rpartition(".")[0] for key in known} - {""}
    wanted = ".".join(path)
    if wanted in sections:
        return "is a section, expected one of its keys: " + ", ".join(
            k for k in known if k.startswith(wanted + ".")
        )
    near = difflib.get_close_matches(wanted, [*known, *sections], 1, 0.75)
    near = near or [key for key in known if key.rpartition(".")[2] == path[-1]][:3]
    near = near or difflib.get_close_matches(wanted, known, 1, 0.5)
    return "unknown key" + (f", did you mean {' or '.join(near)}?" if near else "")


def _expected(kind: Any) -> str:
    return _describe(msgspec.inspect.type_info(kind))


def _describe(info: Any) -> str:
    match info:
        case msgspec.inspect.Metadata(extra_json_schema={"description": str(description)}):
            return description
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(str(value) for value in values)
        case msgspec.inspect.IntType(ge=low, le=high):
            return f"a whole number from {low:,} to {high:,}"
        case msgspec.inspect.FloatType(gt=low, le=high):
            return f"a number above {low:g}, at most {high:,.15g}"
        case msgspec.inspect.StrType():
            return "text that is not empty"
        case msgspec.inspect.VarTupleType(item_type=item):
            return f"a list, not empty, each {_describe(item)}"
        case _:
            return str(info)


def show(value: Any) -> str:
    """A value as YAML would have it, cut short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return reprlib.repr(without_login(value) if isinstance(value, str) else value)
