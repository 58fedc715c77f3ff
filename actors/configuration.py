"""From ``cluster.yaml``, the environment and ``--set`` to one ``Settings``, or lines that say what is wrong.

Later sources win: file, then ``BUTAI_KEY__PATH``, then ``--set key.path=value``. Every problem is one line
with the key's path, the value found and what was expected; all of them are told at once.
"""

import difflib
import math
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors import address
from actors.plain_yaml import parse_yaml
from actors.settings import Settings

FILE_LIMIT = 262_144
"""Bytes of a cluster.yaml; a larger file is not one."""
KEY = re.compile(r"[\w.-]+")
PREFIX = "BUTAI_"
# Kubernetes puts these into every container beside a service that is called "butai".
SERVICE_LINK = re.compile(r"BUTAI_(SERVICE_(HOST|PORT\w*)|PORT(_\w*)?)")


class ConfigurationError(Exception):
    """The configuration cannot be used; each of ``problems`` is one line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class Override(msgspec.Struct, frozen=True):
    """A value for one key from elsewhere than the file; ``origin`` says where, for messages."""

    origin: str
    path: tuple[str, ...]
    text: str


def load(file: Path | None, environment: Mapping[str, str], sets: Sequence[str]) -> Settings:
    """The settings of all sources, checked; ``file`` None means defaults. Raises ConfigurationError."""
    document = read_file(file) if file is not None else {}
    overrides = [*from_environment(environment), *from_arguments(sets)]
    problems: list[str] = []
    tree = _Tree(problems)
    values = tree.convert_section(document, Settings, ())
    for override in overrides:
        tree.apply(override, values)
    if not problems:
        settings: Settings = tree.build(values, Settings)
        problems += check(settings)
        if not problems:
            return settings
    raise ConfigurationError(problems)


def read_file(file: Path) -> Any:
    """The document of a YAML file: no duplicate keys, nothing but plain data; raises ConfigurationError."""
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_LIMIT + 1)
    except OSError as error:
        raise ConfigurationError([f"{file}: cannot be read: {error.strerror}"]) from error
    if len(content) > FILE_LIMIT:
        raise ConfigurationError([f"{file}: larger than {FILE_LIMIT} bytes"])
    try:
        document = parse_yaml(content)
    except ValueError as error:
        raise ConfigurationError([f"{file}: {error}"]) from error
    return {} if document is None else document


def from_environment(environment: Mapping[str, str]) -> Iterable[Override]:
    """``BUTAI_GATEWAY__BIND=...`` speaks of ``gateway.bind``."""
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and not SERVICE_LINK.fullmatch(name):
            yield Override(name, tuple(name[len(PREFIX) :].lower().split("__")), text)


def from_arguments(sets: Sequence[str]) -> Iterable[Override]:
    """``gateway.bind=...``; raises ConfigurationError for what has no ``=``."""
    for argument in sets:
        path, equals, text = argument.partition("=")
        if not equals or not KEY.fullmatch(path):
            raise ConfigurationError([f"--set {reprlib.repr(argument)}: expected key.path=value"])
        yield Override(f"--set {path}", tuple(path.split(".")), text)


class _Tree:
    """Checks values against the sections' fields and notes every problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def convert_section(self, document: Any, section: type[Any], path: tuple[str, ...]) -> dict[str, Any]:
        """The given fields of a section, nested; unknown keys and bad values become problems."""
        if not isinstance(document, dict):
            where = ".".join(path) or "cluster.yaml"
            self.problems.append(f"{where}: expected a mapping of keys to values, found {_show(document)}")
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

    def apply(self, override: Override, values: dict[str, Any]) -> None:
        """Set one key; the text is read as YAML, or as it stands where text is expected."""
        section: type[Any] = Settings
        for step in override.path[:-1]:
            inner = _fields(section).get(step)
            if inner is None or not _is_section(inner):
                self.problems.append(f"{override.origin}: {_unknown(override.path)}")
                return
            section, values = inner, values.setdefault(step, {})
        key = override.path[-1]
        kind = _fields(section).get(key)
        if kind is None or _is_section(kind):
            self.problems.append(f"{override.origin}: {_unknown(override.path)}")
            return
        try:
            value = parse_yaml(override.text)
        except ValueError as error:
            if not _is_text(kind):
                self.problems.append(f"{override.origin}: {error}")
                return
            value = None
        if _is_text(kind) and not isinstance(value, str):
            value = override.text
        self._convert(value, kind, override.origin, values, key)

    def _convert(self, value: Any, kind: Any, where: str, values: dict[str, Any], key: str) -> None:
        try:
            converted = msgspec.convert(value, kind)
        except msgspec.ValidationError:
            self.problems.append(f"{where}: expected {_expected(kind)}, found {_show(value)}")
            return
        if isinstance(converted, float) and not math.isfinite(converted):
            self.problems.append(f"{where}: expected {_expected(kind)}, found {_show(value)}")
            return
        values[key] = converted

    def build(self, values: dict[str, Any], section: type[Any]) -> Any:
        """The section of values that were converted already."""
        fields = _fields(section)
        return section(
            **{k: self.build(v, fields[k]) if _is_section(fields[k]) else v for k, v in values.items()}
        )


def check(settings: Settings) -> list[str]:
    """What single values cannot show: how they fit together, and what this version cannot do yet."""
    problems: list[str] = []
    gateway, supervision, node = settings.gateway, settings.supervision, settings.node
    try:
        bind = address.parse(gateway.bind)
    except ValueError:
        problems.append(
            f"gateway.bind: expected host:port, such as 127.0.0.1:8080, found {_show(gateway.bind)}"
        )
    else:
        if not bind.loopback:
            problems.append(
                f"gateway.bind: {gateway.bind} is open to other hosts, which needs authentication; this"
                " version has none: bind 127.0.0.1:PORT and put a proxy that authenticates before it"
            )
    if settings.workers != 1:
        problems.append(
            f"workers: expected 1, found {settings.workers}: several workers arrive with the fabric"
        )
    for low, high, floor, ceiling in (
        ("gateway.deadline", "gateway.deadline_limit", gateway.deadline, gateway.deadline_limit),
        ("supervision.backoff", "supervision.backoff_limit", supervision.backoff, supervision.backoff_limit),
        ("node.backoff", "node.backoff_limit", node.backoff, node.backoff_limit),
        ("commits.batch", "commits.queue", settings.commits.batch, settings.commits.queue),
    ):
        if floor > ceiling:
            problems.append(f"{low}: expected at most {high} ({ceiling:g}), found {floor:g}")
    return problems


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


def _show(value: Any) -> str:
    """A value as YAML would have it, cut short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return reprlib.repr(value)
