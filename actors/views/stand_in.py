"""A stand-in for a document: its fields compare like the real ones, but every answer is a question first."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any, NoReturn

import msgspec

from actors.views.comparing import comparable, number_question
from actors.views.conditions import Compare, Stored
from actors.views.declaration import ViewManifest
from actors.views.folding import Unfoldable, stored
from actors.views.port import Column
from contexts.vocabulary import Operator

_OPPOSITE: dict[Operator, Operator] = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_FALSE: dict[str, Stored] = {"text": "", "integer": 0, "real": 0.0, "boolean": 0}
"""What is untrue of each kind; dates and moments are always true."""


class Fork(BaseException):
    """A question has no answer yet. It passes through an author's ``except Exception``."""

    def __init__(self, question: Compare) -> None:
        super().__init__(question)
        self.question = question


class Opaque(Exception):
    """What a rule does cannot be seen through."""


def negated(question: Compare) -> Compare:
    """The opposite, for a column that has a value or is compared by equality."""
    return Compare(question.column, _OPPOSITE[question.operator], question.value)


class Questions:
    """The questions of one call, and their answers as far as they are known."""

    def __init__(self, answers: Sequence[bool]) -> None:
        self._answers = answers
        self._asked: dict[Compare, bool] = {}
        self._equal: dict[str, Stored] = {}
        """What a column is known to be."""
        self.failed: Opaque | None = None

    def ask(self, question: Compare) -> bool:
        """Raises Fork when nothing answers it."""
        if question.operator in ("!=", ">", ">="):
            return not self.ask(negated(question))
        known = self._asked.get(question)
        if known is None and question.column in self._equal:
            known = _compare(self._equal[question.column], question)
        if known is None:
            if len(self._asked) == len(self._answers):
                raise Fork(question)
            known = self._asked[question] = self._answers[len(self._asked)]
            if known and question.operator == "==":
                self._equal[question.column] = question.value
        return known

    def fail(self, why: str) -> NoReturn:
        self.failed = self.failed or Opaque(why)
        raise self.failed

    def told(self) -> str:
        """Of a call that failed: what it was told, where that is why."""
        missing = sorted(column for column, value in self._equal.items() if value is None)
        return f", where {' and '.join(map(repr, missing))} is None" if missing else ""


def _compare(value: Any, question: Compare) -> bool:
    wanted: Any = question.value
    if question.operator == "==":
        return bool(value == wanted)
    if value is None or wanted is None:
        return False
    return bool(value < wanted if question.operator == "<" else value <= wanted)


class StandIn:
    """Has the fields of a document."""

    __slots__ = ("_columns", "_manifest", "_questions")

    def __init__(self, manifest: ViewManifest, questions: Questions) -> None:
        self._manifest = manifest
        self._questions = questions
        self._columns = {column.name: column for column in manifest.shape.columns}

    def __getattr__(self, name: str) -> Any:
        column = self._columns.get(name)
        questions = self._questions
        if column is None:
            document = self._manifest.document
            if name in document.__struct_fields__:
                questions.fail(f"field {name!r} is not indexed")
            kind = "method or attribute" if hasattr(document, name) else "field"
            questions.fail(f"it uses {name!r}, which is no {kind} that can be seen through")
        if column.optional and questions.ask(Compare(name, "==", None)):
            return None
        return Field(column, _enumeration(self._manifest, name), questions)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Asked by ``isinstance`` and by patterns of ``match``."""
        self._questions.fail("it asks for the document's type, which cannot be seen through")

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        self._questions.fail("it compares the document as a whole")

    def __hash__(self) -> int:
        self._questions.fail("it hashes the document, as in a set")

    def __repr__(self) -> str:
        self._questions.fail("it makes text of the document")

    def __format__(self, spec: str) -> str:
        self._questions.fail("it makes text of the document")


def _enumeration(manifest: ViewManifest, name: str) -> type[Enum] | None:
    """The field's type where it is an enumeration whose members are no texts themselves."""
    described = msgspec.inspect.type_info(manifest.document)
    assert isinstance(described, msgspec.inspect.StructType)
    kind = next(field.type for field in described.fields if field.name == name)
    if isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    members = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    for member in members:
        if isinstance(member, msgspec.inspect.EnumType) and not issubclass(member.cls, str):
            return member.cls
    return None


class Field:
    """A field of the stand-in, where it is not None."""

    __slots__ = ("_column", "_enumeration", "_questions")

    def __init__(self, column: Column, enumeration: type[Enum] | None, questions: Questions) -> None:
        self._column = column
        self._enumeration = enumeration
        self._questions = questions

    def __eq__(self, other: object) -> bool:
        return self._compared("==", other)

    def __ne__(self, other: object) -> bool:
        return not self._compared("==", other)

    def __lt__(self, other: object) -> bool:
        return self._compared("<", other)

    def __le__(self, other: object) -> bool:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> bool:
        return not self._compared("<=", other)

    def __ge__(self, other: object) -> bool:
        return not self._compared("<", other)

    def __bool__(self) -> bool:
        kind = self._column.kind
        if kind not in _FALSE or self._enumeration is not None:
            return True
        return self._questions.ask(Compare(self._column.name, "!=", _FALSE[kind]))

    def _compared(self, operator: Operator, other: object) -> bool:
        """``==``, ``<`` or ``<=``."""
        name, kind = self._column.name, self._column.kind
        if isinstance(other, Field):
            self._opaque("is compared with another field")
        if not comparable(kind, other, self._enumeration):
            if operator == "==":
                return False
            self._opaque(f"is ordered against {other!r}")
        if kind in ("integer", "boolean", "real"):
            answer = number_question(kind, operator, other)
            return answer if isinstance(answer, bool) else self._questions.ask(Compare(name, *answer))
        if kind != "text" and operator != "==" and isinstance(other, datetime) != (kind == "moment"):
            self._opaque(f"is ordered against {other!r}")
        try:
            value = stored(kind, other)
        except Unfoldable:
            # No document holds what cannot be stored; where it would be in an order is not worth a guess.
            if operator == "==":
                return False
            self._opaque(f"is ordered against {other!r}")
        return self._questions.ask(Compare(name, operator, value))

    def _opaque(self, what: str) -> NoReturn:
        self._questions.fail(f"field {self._column.name!r} {what}")

    def __hash__(self) -> int:
        self._opaque("is hashed, as in a set: use a tuple")

    def __str__(self) -> str:
        self._opaque("is made text of")

    def __repr__(self) -> str:
        self._opaque("is made text of")

    def __format__(self, spec: str) -> str:
        self._opaque("is made text of")

    def __getattr__(self, name: str) -> Any:
        self._opaque(f"is asked for its {name!r}")

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Asked by ``isinstance`` and by patterns of ``match``."""
        self._opaque("is asked for its type")

    def __contains__(self, part: object) -> bool:
        self._opaque("is searched with 'in'")

    def __len__(self) -> int:
        self._opaque("is measured")

    def __iter__(self) -> NoReturn:
        self._opaque("is taken apart")
