import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import address
from actors.configuration import FILE_LIMIT, ConfigurationError, load
from actors.sections import keys
from actors.settings import Settings


def problems(
    text: str = "", environment: dict[str, str] | None = None, *sets: str, folder: Path
) -> list[str]:
    file = folder / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment or {}, sets)
    assert all("\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def test_no_file_means_defaults() -> None:
    assert load(None, {}, []) == Settings()


def test_an_empty_file_and_an_empty_section_mean_defaults(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    for text in ("", "gateway:\n", "# nothing\n"):
        file.write_text(text)
        assert load(file, {}, []) == Settings()


def test_the_sample_file_is_valid() -> None:
    loaded = load(Path(__file__).parents[2] / "cluster.yaml", {}, [])
    assert loaded.contexts == ("contexts.venue", "contexts.booking")


def test_the_operating_guide_lists_every_key_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `(.*?)` \| \S", guide, re.MULTILINE))
    assert list(rows) == sorted(keys(), key=lambda key: "." in key)
    assert load(None, {}, [f"{key}={default}" for key, default in rows.items()]) == Settings()


def test_set_wins_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("gateway: {grace: 1, deadline: 1, in_flight: 1}")
    environment = {"BUTAI_GATEWAY__DEADLINE": "2", "BUTAI_GATEWAY__IN_FLIGHT": "2", "OTHER": "x"}
    gateway = load(file, environment, ["gateway.in_flight=3"]).gateway
    assert (gateway.grace, gateway.deadline, gateway.in_flight) == (1.0, 2.0, 3)


def test_an_override_keeps_its_neighbours() -> None:
    loaded = load(None, {}, ["gateway.bind=127.0.0.1:0", "gateway.grace=3"])
    assert (loaded.gateway.bind, loaded.gateway.grace) == ("127.0.0.1:0", 3.0)
    assert loaded.gateway.in_flight == Settings().gateway.in_flight


def test_an_override_may_be_a_list() -> None:
    assert load(None, {"BUTAI_CONTEXTS": "[hotel.rooms]"}, []).contexts == ("hotel.rooms",)


@pytest.mark.parametrize("text", ["2027", "yes", "1.5", "null", "2027-01-15", "a: b", "[", "{x"])
def test_where_text_is_expected_an_override_is_taken_as_it_stands(text: str) -> None:
    assert load(None, {}, [f"data={text}"]).data == text


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert problems("gateway: {in_flite: 5}", folder=tmp_path) == [
        "gateway.in_flite: unknown key, did you mean gateway.in_flight?"
    ]
    assert problems("gatway: {bind: x}", folder=tmp_path) == ["gatway: unknown key, did you mean gateway?"]
    assert problems("bind: x", folder=tmp_path) == ["bind: unknown key, did you mean gateway.bind?"]
    assert problems("zzzzzzzzzz: 1", folder=tmp_path) == ["zzzzzzzzzz: unknown key"]


def test_an_unknown_key_of_an_override_names_its_source(tmp_path: Path) -> None:
    found = problems("", {"BUTAI_GATEWAY__BIMD": "x"}, "gateway.x.y=3", "gateway=3", folder=tmp_path)
    assert found[0] == "BUTAI_GATEWAY__BIMD: unknown key, did you mean gateway.bind?"
    assert found[1].startswith("--set gateway.x.y: unknown key")
    assert found[2].startswith("--set gateway: is a section, expected one of its keys: gateway.bind, ")


def test_variables_that_kubernetes_sets_for_a_service_named_butai_are_no_keys() -> None:
    links = {
        "BUTAI_SERVICE_HOST": "10.0.0.1",
        "BUTAI_SERVICE_PORT_HTTP": "80",
        "BUTAI_PORT": "tcp://10.0.0.1:80",
        "BUTAI_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load(None, links, []) == Settings()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("workers: two", "workers: expected a whole number from 1 to 256, found 'two'"),
        ("shards: 0", "shards: expected a whole number from 1 to 4,096, found 0"),
        ("shards: true", "shards: expected a whole number from 1 to 4,096, found true"),
        ("shards: 1.5", "shards: expected a whole number from 1 to 4,096, found 1.5"),
        ("shards:", "shards: expected a whole number from 1 to 4,096, found nothing"),
        ("log: xml", "log: expected json or text, found 'xml'"),
        ("data: ''", "data: expected text that is not empty, found ''"),
        ("data: 5", "data: expected text that is not empty, found 5"),
        (
            "contexts: contexts.venue",
            "contexts: expected a list, not empty, each a dotted module name, found 'contexts.venue'",
        ),
        ("contexts: []", "contexts: expected a list, not empty, each a dotted module name, found []"),
        ("gateway: 5", "gateway: expected a mapping of keys to values, found 5"),
        ("gateway: {grace: -1}", "gateway.grace: expected a number above 0, at most 31,536,000, found -1"),
        ("gateway: {grace: .nan}", "gateway.grace: expected a number above 0, at most 31,536,000, found nan"),
        ("gateway: {grace: .inf}", "gateway.grace: expected a number above 0, at most 31,536,000, found inf"),
        ("gateway: {bind: here}", "gateway.bind: expected host:port, such as 127.0.0.1:8080, found 'here'"),
        ("workers: 257", "workers: expected a whole number from 1 to 256, found 257"),
        (
            "bus: nats:/x",
            "bus: expected embedded, or nats:// or tls:// URLs separated by commas, found 'nats:/x'",
        ),
        (
            "gateway: {deadline: 90}",
            "gateway.deadline: expected at most gateway.deadline_limit (60), found 90",
        ),
        ("- a", "cluster.yaml: expected a mapping of keys to values, found ['a']"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_was_expected(
    text: str, problem: str, tmp_path: Path
) -> None:
    assert problems(text, folder=tmp_path) == [problem]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems("shards: 0\nlog: xml\nnope: 1", None, "data=", "commits.batch=x", folder=tmp_path)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shards: 1\nshards: 2", "line 2, column 1: key 'shards' appears twice"),
        ("gateway: {grace: 1, grace: 1}", "line 1, column 21: key 'grace' appears twice"),
        ("gateway: [", "line 1, column 11: expected the node content, but found '<stream end>'"),
        ("a: !!python/object:os.system x", "line 1, column 4: could not determine a constructor"),
        ("[" * 5000, "nested too deeply"),
        ("data: \x07", "special characters are not allowed"),
        ("at: 2027-13-45", "month must be in 1..12"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(text: str, problem: str, tmp_path: Path) -> None:
    (found,) = problems(text, folder=tmp_path)
    assert found.startswith(f"{tmp_path}/cluster.yaml: ")
    assert problem in found


def test_a_file_that_is_not_utf8_or_too_large_or_absent_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    for content, problem in ((b"data: \xff", "UTF-8"), (b"#" * (FILE_LIMIT + 1), "larger than")):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=problem):
            load(file, {}, [])
    with pytest.raises(ConfigurationError, match=r"cannot be read: No such file"):
        load(tmp_path / "none.yaml", {}, [])
    with pytest.raises(ConfigurationError, match=r"cannot be read: Is a directory"):
        load(tmp_path, {}, [])


def test_an_override_without_equals_sign_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"--set 'gateway\.bind': expected key\.path=value"):
        load(None, {}, ["gateway.bind"])


def test_a_gateway_open_to_other_hosts_is_refused() -> None:
    for bind in ("0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "example.org:80"):
        with pytest.raises(ConfigurationError, match="needs authentication") as caught:
            load(None, {}, [f"gateway.bind={bind}"])
        assert len(caught.value.problems) == 1
    for bind in ("127.0.0.1:0", "127.9.9.9:80", "localhost:8080", "[::1]:8080"):
        assert load(None, {}, [f"gateway.bind={bind}"]).gateway.bind == bind


@pytest.mark.parametrize(
    "text", ["", ":", "host", "host:", ":80", "host:-1", "host:65536", "::1:80", "[h:80", "h:８０"]
)
def test_what_is_not_host_and_port_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        address.parse(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_reads_what_it_writes(host: object, port: int) -> None:
    stated = address.Address(str(host), port)
    assert address.parse(str(stated)) == stated


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3)
)


def told(file: Path | None, sets: list[str]) -> list[str]:
    try:
        load(file, {}, sets)
    except ConfigurationError as error:
        return error.problems
    return []


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*keys(), "gateway", "x", "gateway.x"]), st.text(max_size=20)))
def test_any_override_is_taken_or_told(overrides: dict[str, str]) -> None:
    for problem in told(None, [f"{key}={value}" for key, value in overrides.items()]):
        assert problem.startswith(("--set ", "gateway.bind: ", "workers: "))
        assert problem.isprintable()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*keys(), "gateway", "entities"]) | st.text(max_size=9), values))
def test_any_document_is_taken_or_told(tmp_path: Path, document: object) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(document))
    assert all(problem.isprintable() for problem in told(file, []))


def test_a_password_is_in_no_message_and_no_representation() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(None, {}, ["journal=postgresql://ada:se cret@host/db"])
    assert "cret" not in str(refused.value)
    assert "cret" not in repr(load(None, {}, ["journal=postgresql://ada:se@cret@host/db"]))
