"""An author's rules as conditions: who sees a document, and from whom a field is kept.

A rule is plain Python over a principal and a document. Here it is called with a stand-in for the document,
whose comparisons have no answer yet: at the first one whose truth is asked for, the call is given up and made
anew twice, once for each answer. What all calls come to is a tree of questions, and that is a condition. So
a rule may use any Python over the principal, and ``and or not if in`` over a tuple or a list; whatever cannot
be seen through is an error that names the rule and the field. A field that may be None really is None in the
half of the calls where it is asked about as such, so ``is None`` works, too.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.views.conditions import ALWAYS, NEVER, Condition, all_of, either_of
from actors.views.declaration import DeclarationError, ViewManifest
from actors.views.stand_in import Fork, Opaque, Questions, StandIn, negated
from contexts.vocabulary import ANONYMOUS, Principal, Value

MOST_PATHS = 64
"""Ways through one rule for one principal."""
REMEMBERED = 1_000
"""Principals whose rules are kept."""

Rule = Callable[[Principal, Any], bool]


class RuleError(DeclarationError):
    """A rule cannot be made into a condition; the message is one line."""


class Ruling(msgspec.Struct, frozen=True):
    """A view's rules for one principal."""

    visible: Condition
    kept: Mapping[str, Condition]
    """By field: the documents in which it is kept from the principal. Fields that never are, are left out."""
    open: Mapping[str, Condition]
    """The opposite, for the same fields."""


class Rules:
    """A view's rules for all principals."""

    def __init__(self, manifest: ViewManifest) -> None:
        view = manifest.view
        self.manifest = manifest
        self.any = view.visible is not None or bool(view.masked)
        """There are rules at all."""
        self._visible = view.visible
        self._masked = dict(view.masked)
        self._anonymous: Ruling | None = None
        self._of: dict[tuple[object, ...], Ruling] = {}

    def of(self, principal: Principal) -> Ruling:
        """Raises RuleError."""
        if principal is ANONYMOUS and self._anonymous is not None:
            return self._anonymous
        key = (principal.subject, principal.roles, tuple(sorted(principal.claims.items())))
        found = self._of.get(key)
        if found is None:
            found = self._read(principal)
            while len(self._of) >= REMEMBERED:
                self._of.pop(next(iter(self._of)))
            self._of[key] = found
            if principal is ANONYMOUS:
                self._anonymous = found
        return found

    def sees(self, principal: Principal, document: Value) -> bool:
        """What ``visible`` itself says."""
        return self._visible is None or bool(self._visible(principal, document))

    def hidden(self, principal: Principal, document: Value) -> list[str]:
        """The fields of this document that are kept from the principal, as ``masked`` itself says."""
        return [field for field, rule in self._masked.items() if rule(principal, document)]

    def _read(self, principal: Principal) -> Ruling:
        visible: Condition = ALWAYS
        if self._visible is not None:
            visible, _ = read_rule(self.manifest, "visible", self._visible, principal)
        kept: dict[str, Condition] = {}
        open_: dict[str, Condition] = {}
        for field, rule in self._masked.items():
            yes, no = read_rule(self.manifest, f"masked[{field!r}]", rule, principal)
            if yes != NEVER:
                kept[field], open_[field] = yes, no
        return Ruling(visible, kept, open_)


def check_rules(manifest: ViewManifest) -> None:
    """Tell an author's mistakes at start; raises RuleError."""
    rules = Rules(manifest)
    rules.of(ANONYMOUS)
    rules.of(Principal("somebody", frozenset({"somebody"})))


def read_rule(
    manifest: ViewManifest, name: str, rule: Rule, principal: Principal
) -> tuple[Condition, Condition]:
    """The documents of which a rule says yes, and those of which it says no. Raises RuleError."""
    return _Reading(manifest, name, rule, principal).grow([])


class _Reading:
    """One rule, for one principal."""

    def __init__(self, manifest: ViewManifest, name: str, rule: Rule, principal: Principal) -> None:
        self._manifest = manifest
        self._name = name
        self._rule = rule
        self._principal = principal
        self._paths = 0

    def grow(self, answers: list[bool]) -> tuple[Condition, Condition]:
        """The conditions under which the rule says yes and no, when its first questions are answered so."""
        outcome = self._call(answers)
        if isinstance(outcome, bool):
            self._paths += 1
            if self._paths > MOST_PATHS:
                raise RuleError(f"{self._name}: there are more than {MOST_PATHS} ways through it")
            return (ALWAYS, NEVER) if outcome else (NEVER, ALWAYS)
        yes = self.grow([*answers, True])
        no = self.grow([*answers, False])
        question, opposite = outcome.question, negated(outcome.question)
        return (
            _either_way(question, opposite, yes[0], no[0]),
            _either_way(question, opposite, yes[1], no[1]),
        )

    def _call(self, answers: list[bool]) -> bool | Fork:
        questions = Questions(answers)
        try:
            said = bool(self._rule(self._principal, StandIn(self._manifest, questions)))
        except Fork as fork:
            return fork
        except BaseException as error:
            failed = questions.failed or error
            why = str(failed) if isinstance(failed, Opaque) else f"{type(failed).__name__}: {failed}"
            given = questions.told()
            raise RuleError(" ".join(f"{self._name}: {why}{given}".split())) from error
        if questions.failed is not None:
            # The rule has caught what it was told.
            raise RuleError(f"{self._name}: {questions.failed}")
        return said


def _either_way(question: Condition, opposite: Condition, yes: Condition, no: Condition) -> Condition:
    """``yes`` where the question is answered so, else ``no``; without what goes without saying."""
    if yes == no:
        return yes
    if yes == ALWAYS:
        return either_of((question, no))
    if no == ALWAYS:
        return either_of((opposite, yes))
    return either_of((all_of((question, yes)), all_of((opposite, no))))
