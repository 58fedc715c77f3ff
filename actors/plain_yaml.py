"""YAML as plain data, stricter than the library: each key once, one line per error."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Plain data only, and each key once: the second of two equal keys would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} appears twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(content: bytes | str) -> Any:
    """YAML as plain data; ValueError says in one line what is wrong and where."""
    try:
        return yaml.load(content.decode() if isinstance(content, bytes) else content, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{_one_line(error.problem or error.context)}") from error
    except yaml.YAMLError as error:
        raise ValueError(_one_line(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _one_line(message: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(message)).split())
