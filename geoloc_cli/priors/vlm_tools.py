"""Looks as tools of the OpenAI interface, for models that were taught to call some rather than to keep a schema.

A call becomes the JSON that the schema asks for in its place, and is read, checked and bounded as that is
(`vlm_look.py`): whatever the name and the arguments of a call, nothing is done but to crop or to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from geoloc_cli.priors.vlm_look import CROP, READ

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_DOES = {
    CROP: "Show a part of the photograph at full resolution.",
    READ: "Read the writing in a part of the photograph.",
}


def offered(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools of a request whose schema has looks; none of any other."""
    if "action" not in schema.get("properties", {}):
        return []
    box = {"type": "array", "items": _SHARE, "description": "left, top, right, bottom, as shares of the photograph"}
    parameters = {
        "type": "object",
        "properties": {"box": box, "rationale": {"type": "string"}},
        "required": ["box", "rationale"],
        "additionalProperties": False,
    }
    return [
        {"type": "function", "function": {"name": name, "description": does, "parameters": parameters}}
        for name, does in _DOES.items()
    ]


def called(message: Mapping[str, Any]) -> str:
    """The first call of a message as an answer of the schema; nothing where it has none that can be read."""
    calls = message.get("tool_calls")
    first = calls[0] if isinstance(calls, list) and calls else None
    function = first.get("function") if isinstance(first, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return ""
    try:
        given = json.loads(function.get("arguments") or "{}")
    except (TypeError, ValueError, RecursionError):
        given = {}
    wanted = {key: given[key] for key in ("box", "rationale") if key in given} if isinstance(given, dict) else {}
    return json.dumps({"action": function["name"], **wanted})
