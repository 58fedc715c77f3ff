"""From ``cluster.yaml``, the environment and ``--set`` to one ``Settings``, or lines that say what is wrong.

Later sources win: file, then ``BUTAI_KEY__PATH``, then ``--set key.path=value``. Every problem is one line
with the key's path, the value found and what was expected; all of them are told at once.
"""

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors import address
from actors.plain_yaml import parse_yaml
from actors.sections import KEY, Values, show
from actors.settings import Settings

FILE_LIMIT = 262_144
"""Bytes of a cluster.yaml; a larger file is not one."""
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
    tree = Values(problems)
    values = tree.convert_section(document, Settings, ())
    for override in overrides:
        tree.override(override.origin, override.path, override.text, values)
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


def check(settings: Settings) -> list[str]:
    """What single values cannot show: how they fit together, and what this version cannot do yet."""
    problems: list[str] = []
    gateway, supervision, node = settings.gateway, settings.supervision, settings.node
    try:
        bind = address.parse(gateway.bind)
    except ValueError:
        problems.append(
            f"gateway.bind: expected host:port, such as 127.0.0.1:8080, found {show(gateway.bind)}"
        )
    else:
        if not bind.loopback:
            problems.append(
                f"gateway.bind: {gateway.bind} is open to other hosts, which needs authentication; this"
                " version has none: bind 127.0.0.1:PORT and put a proxy that authenticates before it"
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
