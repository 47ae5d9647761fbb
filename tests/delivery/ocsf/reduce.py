"""Makes `schema-1.8.0.json` from the compiled schema of OCSF 1.8.0: `python reduce.py COMPILED.json`; README.md says where that is from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CLASSES = (
    *("account_change", "authentication", "entity_management", "user_access", "group_management", "api_activity"),
    "detection_finding",
)
OBJECTS = (
    *(
        "actor",
        "analytic",
        "api",
        "finding_info",
        "group",
        "http_request",
        "managed_entity",
        "metadata",
        "network_endpoint",
    ),
    *("object", "product", "related_event", "resource_details", "service", "user"),
)
_OF_ATTRIBUTE = ("type", "object_type", "is_array", "requirement", "profiles", "@deprecated")


def _attribute(whole: dict[str, Any]) -> dict[str, Any]:
    kept = {name: whole[name] for name in _OF_ATTRIBUTE if whole.get(name) is not None}
    if "@deprecated" in kept:
        kept["@deprecated"] = kept["@deprecated"]["since"]
    return kept | ({"enum": list(whole["enum"])} if "enum" in whole else {})


def _item(whole: dict[str, Any]) -> dict[str, Any]:
    attributes = {name: _attribute(one) for name, one in sorted(whole["attributes"].items())}
    return {name: whole[name] for name in ("uid", "category_uid", "constraints") if name in whole} | {
        "attributes": attributes
    }


def reduced(compiled: dict[str, Any]) -> dict[str, Any]:
    """The classes and objects above with all their attributes, without descriptions; all types."""
    types = compiled["dictionary"]["types"]["attributes"]
    kept = ("type", "regex", "max_len", "range", "values")
    return {
        "version": compiled["version"],
        "types": {name: {key: one[key] for key in kept if key in one} for name, one in sorted(types.items())},
        "classes": {name: _item(compiled["classes"][name]) for name in sorted(CLASSES)},
        "objects": {name: _item(compiled["objects"][name]) for name in sorted(OBJECTS)},
    }


if __name__ == "__main__":
    found = reduced(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    target = Path(__file__).with_name("schema-1.8.0.json")
    lines = json.dumps(found, indent=None, separators=(",", ":")).replace('},"', '},\n"')
    target.write_text(lines + "\n", encoding="utf-8")
