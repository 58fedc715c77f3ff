"""A rule and the condition that is made of it say the same of every document."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.manifest import ManifestError, read
from actors.views.conditions import ALWAYS, NEVER, All, Compare, Condition, Either
from actors.views.declaration import read_view
from actors.views.folding import stored
from actors.views.rules import RuleError, Rules, read_rule
from contexts.vocabulary import ANONYMOUS, Aggregate, Command, Context, Event, Moment, Principal, Value, View

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ADA = Principal("ada", frozenset({"staff"}), {"house": "north"})
BOB = Principal("bob")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Sheet(Value):
    owner: str = ""
    helper: str | None = None
    size: int = 0
    weight: float = 0.0
    public: bool = False
    start: Moment = NOON
    end: Moment | None = None
    day: date = date(2027, 3, 1)
    colour: Colour = Colour.RED
    note: str = ""

    def mine(self) -> bool:
        return True


class Wrote(Event):
    owner: str


class Write(Command):
    owner: str


def key(event: Wrote) -> str:
    return event.owner


def fold(sheet: Sheet, event: Wrote) -> Sheet:
    return Sheet(event.owner)


INDEXES = ("owner", "helper", "size", "weight", "public", "start", "end", "day", "colour")
MANIFEST = read_view(View("sheets", Sheet(), key, fold, indexes=INDEXES), {"sheet": (Wrote,)})
SHEETS = [
    Sheet(owner, helper, size, weight, public, NOON, end, colour=colour)
    for owner, helper, size, weight, public, end, colour in product(
        ("", "ada", "bob"),
        (None, "", "ada"),
        (-1, 0, 2, 3),
        (0.0, 2.5),
        (False, True),
        (None, NOON, NOON + timedelta(hours=1)),
        (Colour.RED, Colour.BLUE),
    )
]


def met(condition: Condition, sheet: Sheet) -> bool:
    """What the port says a condition means."""
    if isinstance(condition, All):
        return all(met(one, sheet) for one in condition.of)
    if isinstance(condition, Either):
        return any(met(one, sheet) for one in condition.of)
    column = next(c for c in MANIFEST.shape.columns if c.name == condition.column)
    value: Any = stored(column.kind, getattr(sheet, column.name))
    wanted: Any = condition.value
    if condition.operator in ("==", "!="):
        return bool((value == wanted) == (condition.operator == "=="))
    if value is None or wanted is None:
        return False
    orders = {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}
    return bool(orders[condition.operator])


def by_match(principal: Principal, sheet: Sheet) -> bool:
    match principal:
        case Principal(subject="ada"):
            return sheet.size >= 2
        case Principal(roles=roles) if "staff" in roles:
            return True
    return sheet.owner == principal.subject


def with_branches(principal: Principal, sheet: Sheet) -> bool:
    if sheet.public:
        return True
    if sheet.helper is None:
        return sheet.owner == principal.subject
    return not (sheet.helper == principal.subject or sheet.size > 2)


def by_enumeration(principal: Principal, sheet: Sheet) -> bool:
    return sheet.colour in (Colour.BLUE,) or sheet.colour == "red"  # type: ignore[comparison-overlap]


def by_end(principal: Principal, sheet: Sheet) -> bool:
    return not (sheet.end is not None and sheet.end <= NOON.astimezone())


GOOD: list[Callable[[Principal, Sheet], bool]] = [
    lambda p, s: s.owner == p.subject,
    lambda p, s: s.owner != p.subject,
    lambda p, s: not s.owner == p.subject,  # noqa: SIM201
    lambda p, s: s.owner in ("ada", "bob") and s.size not in [0, 2],
    lambda p, s: s.owner in tuple(p.roles) or "staff" in p.roles,
    lambda p, s: 0 <= s.size < 3,
    lambda p, s: s.size < 2.5 and s.size > -0.5,
    lambda p, s: s.size == 2.0 or s.size == 2.5 or s.size > 2**70,
    lambda p, s: s.weight > 1 or s.weight == float("nan"),
    lambda p, s: bool(s.owner) and bool(s.size),
    lambda p, s: s.public == True,  # noqa: E712
    lambda p, s: (not s.public and s.owner > "a") or s.owner <= "a",
    lambda p, s: s.helper is not None and s.helper == p.subject,
    lambda p, s: s.helper == None,  # noqa: E711
    lambda p, s: s.helper != p.subject,
    lambda p, s: not s.helper or s.owner == "bob",
    lambda p, s: s.helper in (None, "ada"),
    lambda p, s: s.end is None or s.end > NOON,
    lambda p, s: (s.public == True) == (s.owner == "ada"),  # noqa: E712
    lambda p, s: any(s.owner == name for name in ("ada", p.subject)),
    lambda p, s: s.owner == 5,  # type: ignore[comparison-overlap]
    lambda p, s: s.day >= date(2027, 3, 1) and s.start == NOON.replace(tzinfo=None),
    lambda p, s: p.claims.get("house") == "north" or s.public,
    lambda p, s: True,
    lambda p, s: False,
    by_match,
    with_branches,
    by_enumeration,
    by_end,
]


@pytest.mark.parametrize("principal", [ANONYMOUS, ADA, BOB], ids=["anonymous", "ada", "bob"])
@pytest.mark.parametrize("number", range(len(GOOD)))
def test_a_rule_and_its_condition_agree_on_every_document(number: int, principal: Principal) -> None:
    rule = GOOD[number]
    yes, no = read_rule(MANIFEST, "visible", rule, principal)
    for sheet in SHEETS:
        said = bool(rule(principal, sheet))
        assert (met(yes, sheet), met(no, sheet)) == (said, not said), (yes, sheet)


ATOMS: list[Callable[[Sheet], bool]] = [
    lambda s: s.owner == "ada",
    lambda s: s.owner < "b",
    lambda s: s.helper == "ada",
    lambda s: s.helper is None,
    lambda s: s.size >= 2,
    lambda s: s.size <= 0,
    lambda s: s.public,
    lambda s: s.end is not None and s.end > NOON,
    lambda s: s.end is None or s.end == NOON,
]
EXPRESSIONS = st.recursive(
    st.integers(0, len(ATOMS) - 1),
    lambda inner: st.tuples(st.sampled_from(["and", "or", "if"]), inner, inner) | st.tuples(inner),
    max_leaves=4,
)


def holds(expression: Any, sheet: Sheet) -> bool:
    match expression:
        case int():
            return ATOMS[expression](sheet)
        case (inner,):
            return not holds(inner, sheet)
        case ("and", one, other):
            return holds(one, sheet) and holds(other, sheet)
        case ("or", one, other):
            return holds(one, sheet) or holds(other, sheet)
        case (_, one, other):
            return holds(other, sheet) if holds(one, sheet) else not holds(other, sheet)
    raise AssertionError(expression)


@given(EXPRESSIONS)
def test_any_combination_of_comparisons_agrees_with_its_condition(expression: Any) -> None:
    yes, no = read_rule(MANIFEST, "visible", lambda _, sheet: holds(expression, sheet), ANONYMOUS)
    for sheet in SHEETS[::7]:
        said = holds(expression, sheet)
        assert (met(yes, sheet), met(no, sheet)) == (said, not said)


def test_conditions_are_as_simple_as_the_rules() -> None:
    def of(rule: Callable[[Principal, Sheet], bool]) -> Condition:
        return read_rule(MANIFEST, "visible", rule, ADA)[0]

    mine = Compare("owner", "==", "ada")
    assert of(lambda p, s: s.owner == p.subject) == mine
    assert of(lambda p, s: "staff" in p.roles or s.owner == p.subject) == ALWAYS
    assert of(lambda p, s: "boss" in p.roles and s.owner == p.subject) == NEVER
    assert of(lambda p, s: s.public or s.owner == "ada") == Either((Compare("public", "!=", 0), mine))
    assert of(lambda p, s: s.owner in ("ada", "bob")) == Either((mine, Compare("owner", "==", "bob")))
    assert of(lambda p, s: s.size >= 2 and s.start < NOON) == All(
        (Compare("size", ">=", 2), Compare("start", "<", stored("moment", NOON)))
    )


def caught(principal: Principal, sheet: Sheet) -> bool:
    try:
        return f"{sheet.owner}" == "ada"
    except Exception:  # noqa: BLE001 - what an author might do
        return True


def matched(principal: Principal, sheet: Sheet) -> bool:
    match sheet:
        case Sheet(owner="ada"):
            return True
    return False


BAD: list[tuple[Callable[[Principal, Any], Any], str]] = [
    (lambda p, s: s.note == "x", "visible: field 'note' is not indexed"),
    (lambda p, s: s.nothing == "x", "'nothing'"),
    (lambda p, s: s.mine(), "'mine'"),
    (lambda p, s: s.owner in p.roles, "field 'owner' is hashed, as in a set"),
    (lambda p, s: s.owner in {"ada", "bob"}, "field 'owner' is hashed"),
    (lambda p, s: str(s.owner) == "x", "field 'owner' is made text of"),
    (lambda p, s: f"{s.owner}" == "x", "field 'owner' is made text of"),
    (lambda p, s: s.owner.startswith("a"), "field 'owner' is asked for its 'startswith'"),
    (lambda p, s: isinstance(s.owner, str), "field 'owner' is asked for its type"),
    (lambda p, s: s.owner == s.helper, "compared with another field"),
    (lambda p, s: "a" in s.owner, "searched with 'in'"),
    (lambda p, s: s.size + 1 > 2, "TypeError"),
    (lambda p, s: s.size < "x", "field 'size' is ordered against 'x'"),
    (lambda p, s: s.end > NOON, "where 'end' is None"),
    (lambda p, s: s.start > NOON.replace(tzinfo=None), "field 'start' is ordered"),
    (lambda p, s: all(s.size != n or s.owner == str(n) for n in range(40)), "more than 64 ways"),
    (lambda p, s: s == Sheet(), "document as a whole"),
    (caught, "field 'owner' is made text of"),
    (matched, "document's type"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_what_cannot_be_seen_through_is_an_error_of_one_line(number: int) -> None:
    rule, why = BAD[number]
    with pytest.raises(RuleError) as raised:
        read_rule(MANIFEST, "visible", rule, ADA)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mistake_is_told_when_the_manifest_is_read() -> None:
    def decide(state: Sheet, command: Write) -> list[Wrote]:
        return [Wrote(command.owner)]

    def staff_only(principal: Principal, sheet: Sheet) -> bool:
        return "somebody" in principal.roles and sheet.note == ""

    aggregate = Aggregate("sheet", Sheet(), decide, fold)
    view = View("sheets", Sheet(), key, fold, masked={"note": staff_only})
    with pytest.raises(
        ManifestError, match=r"context 'paper', view 'sheets': masked\['note'\]: field 'note' is not indexed"
    ):
        read(Context("paper", aggregates=[aggregate], views=[view], routes=[]))


def test_rules_are_read_once_per_principal_and_not_kept_without_end() -> None:
    asked: list[str] = []

    def visible(principal: Principal, sheet: Sheet) -> bool:
        asked.append(principal.subject)
        return True

    rules = Rules(read_view(View("sheets", Sheet(), key, fold, visible=visible), {"sheet": (Wrote,)}))
    for _ in range(3):
        assert rules.of(ANONYMOUS).visible == ALWAYS
        assert rules.of(Principal("ada", claims={"a": "b"})).visible == ALWAYS
    assert asked == ["anonymous", "ada"]
    for number in range(1_001):
        rules.of(Principal(f"p{number}"))
    rules.of(Principal("ada", claims={"a": "b"}))
    assert asked.count("ada") == 2


def test_a_field_that_may_be_kept_says_in_which_documents() -> None:
    def others(principal: Principal, sheet: Sheet) -> bool:
        return "staff" not in principal.roles and sheet.owner != principal.subject

    rules = Rules(
        read_view(
            View("sheets", Sheet(), key, fold, indexes=("owner",), masked={"note": others}),
            {"sheet": (Wrote,)},
        )
    )
    assert rules.of(ADA).kept == {}
    assert rules.of(BOB).kept == {"note": Compare("owner", "!=", "bob")}
    assert rules.of(BOB).open == {"note": Compare("owner", "==", "bob")}
    assert rules.hidden(BOB, Sheet("ada")) == ["note"]
    assert rules.hidden(BOB, Sheet("bob")) == []
