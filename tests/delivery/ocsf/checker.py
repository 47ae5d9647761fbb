"""A strict check of records against the compiled schema of OCSF 1.8.0: what the schema does not name is an error, as is what it
requires and is not there, another type, a value outside an enumeration, a broken constraint, a deprecated attribute."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("schema-1.8.0.json").read_text(encoding="utf-8"))
CLASS_OF = {one["uid"]: one for one in SCHEMA["classes"].values()}
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "string_t": str,
    "integer_t": int,
    "long_t": int,
    "float_t": (int, float),
    "boolean_t": bool,
    "json_t": object,
}


def faults(record: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a record; none where it is valid."""
    known = CLASS_OF.get(record.get("class_uid", -1))
    if known is None:
        return [f"class_uid {record.get('class_uid')} is none of the shipped classes"]
    found = list(_of_item(record, known, ""))
    if record.get("type_uid") != record["class_uid"] * 100 + record.get("activity_id", -1):
        found.append("type_uid does not follow from class_uid and activity_id")
    if record.get("category_uid") != known["category_uid"]:
        found.append("category_uid is not the class's")
    if record.get("metadata", {}).get("version") != SCHEMA["version"]:
        found.append("metadata.version is not the schema's")
    if record.get("activity_id") == 99 and not record.get("activity_name"):
        found.append("activity 99 needs a name")
    return found


def _of_item(value: dict[str, Any], known: dict[str, Any], path: str) -> Iterator[str]:
    attributes = known["attributes"]
    for name, one in value.items():
        if name not in attributes:
            yield f"{path}{name} is not in the schema"
        elif attributes[name].get("profiles"):
            yield f"{path}{name} belongs to a profile that the record does not declare"
        elif "@deprecated" in attributes[name]:
            yield f"{path}{name} is deprecated"
        else:
            yield from _of_attribute(one, attributes[name], f"{path}{name}")
    for name, attribute in attributes.items():
        if attribute["requirement"] == "required" and not attribute.get("profiles") and name not in value:
            yield f"{path}{name} is required"
    for rule, names in known.get("constraints", {}).items():
        number = sum(name in value for name in names)
        if (rule == "at_least_one" and not number) or (rule == "just_one" and number != 1):
            yield f"{path or 'record'}: {rule} of {', '.join(names)}"


def _of_attribute(value: Any, attribute: dict[str, Any], path: str) -> Iterator[str]:
    if attribute.get("is_array"):
        if not isinstance(value, list):
            yield f"{path} is not a list"
            return
        for number, one in enumerate(value):
            yield from _of_value(one, attribute, f"{path}[{number}]")
    else:
        yield from _of_value(value, attribute, path)


def _of_value(value: Any, attribute: dict[str, Any], path: str) -> Iterator[str]:
    if attribute["type"] == "object_t":
        name = attribute["object_type"]
        if not isinstance(value, dict):
            yield f"{path} is not an object"
        elif name not in SCHEMA["objects"]:
            yield f"{path}: the object {name} is not shipped with the tests"
        elif name != "object":  # an object of that type holds anything
            yield from _of_item(value, SCHEMA["objects"][name], f"{path}.")
        return
    kind = SCHEMA["types"][attribute["type"]]
    plain = _PLAIN[kind.get("type", attribute["type"])]
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        yield f"{path} is {type(value).__name__}, not {attribute['type']}"
        return
    if "enum" in attribute and str(value) not in attribute["enum"]:
        yield f"{path} {value} is not in the enumeration"
    if "regex" in kind and not re.search(kind["regex"], str(value)):
        yield f"{path} {value!r} is no {attribute['type']}"
    if "max_len" in kind and len(str(value)) > kind["max_len"]:
        yield f"{path} is longer than {kind['max_len']}"
    if "range" in kind and not kind["range"][0] <= value <= kind["range"][1]:
        yield f"{path} {value} is out of range"
