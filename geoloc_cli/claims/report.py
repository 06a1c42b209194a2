"""Verdicts for a person: the same sentences and tables as Markdown and as a page without script."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geoloc_cli.export.markup import Content, Html, element, in_markdown, join
from geoloc_cli.export.page import Page, code, facts, figure, table
from geoloc_cli.export.scene import Scene
from geoloc_cli.export.why import file_of
from geoloc_cli.photos.scan import common_folder

_TITLE = "Claims about photographs, weighed"
_LEAD = (
    "Each claim is weighed against what its photograph shows: how much more likely the evidence is if the claim is "
    "true than if it is false. This ratio is no probability that the claim is true, which depends on what else is "
    "known."
)
_EVIDENCE = ("evidence", "of the", "log10 LR", "counts")
_MATCHES = ("indexed photo", "latitude", "longitude", "matches", "agreeing", "evidence")
_AGAIN = "geoloc check --again DIR [--photo PHOTO] [--index DIR]"
_HOW = f"To weigh the claims again and see what differs: {_AGAIN}. SHA256SUMS tells whether a file was changed."
_CAPTIONS = {
    "matches": "What the photograph and the indexed one that agrees best have in common.",
    "belief": "Where the photograph may have been taken.",
    "map": "The pose in its map, from above and from the side.",
}
Check = Mapping[str, Any]


def markdown(checks: Sequence[Check], record: Mapping[str, Any]) -> str:
    """The README of a pack."""
    return "\n".join(_lines(checks, record)) + "\n"


def _lines(checks: Sequence[Check], record: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"# {_TITLE}", "", _LEAD, "")
    for check in checks:
        yield from ("", f"## {in_markdown(_heading(check))}", "")
        yield from (f"- {in_markdown(said)}" for said in _said(check))
        if check["evidence"]:
            yield from ("", *_table(_EVIDENCE, _evidence(check)))
        if check["matches"]:
            yield from ("", *_table(_MATCHES, _matches(check)))
    yield from ("", "## How it was made", "")
    yield from (f"- {in_markdown(name)}: {in_markdown(value)}" for name, value in _facts(record))
    yield from ("", f"To weigh the claims again and see what differs: `{_AGAIN}`. SHA256SUMS tells whether a file was")
    yield "changed."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| :-- " + "| --: " * (len(head) - 1) + "|"
    yield from ("| " + " | ".join(map(in_markdown, row)) + " |" for row in rows)


def html(checks: Sequence[Check], record: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Scene]]) -> str:
    """The page of a pack. drawn: pictures by their names, by the photos' paths; each photo's are shown once."""
    left = dict(drawn)
    page = Page(_TITLE, lead=_LEAD)
    for check in checks:
        parts: list[Content] = [element("ul", join([element("li", element("bdi", said)) for said in _said(check)]))]
        if check["evidence"]:
            parts.append(table(_EVIDENCE, _evidence(check), caption="What was weighed", numbers="--nn"))
        if check["matches"]:
            folder = common_folder(m["photo"] for m in check["matches"])
            rows = [[code(name.removeprefix(folder)), *rest] for name, *rest in _matches(check)]
            caption = "Indexed photographs of the same scene" + (f", in {folder}" if folder else "")
            parts.append(table(_MATCHES, rows, caption=caption, numbers="-nnnnn"))
        parts += [_picture(name, scene) for name, scene in left.pop(check["photo"], {}).items()]
        page.section(_heading(check), *parts)
    page.section("How it was made", facts([(name, code(value)) for name, value in _facts(record)]), _HOW)
    return page.html()


def _picture(name: str, scene: Scene) -> Html:
    data = base64.b64encode(file_of(scene, ".svg")).decode("ascii")
    caption = _CAPTIONS[name]
    return figure(element("img", src=f"data:image/svg+xml;base64,{data}", alt=caption, class_="thumbnail"), caption)


def _heading(check: Check) -> str:
    return f"{check['photo']}: {check['verdict'] or 'not weighed'}"


def _said(check: Check) -> list[str]:
    if check["error"]:
        return [check["error"]["message"]]
    return [*check["statement"], f"What ran: {'; '.join(check['ran']) or 'nothing'}."]


def _evidence(check: Check) -> list[list[str]]:
    return [[e["name"], e["family"], f"{e['log10_lr']:+.2f}", f"{e['counted']:+.2f}"] for e in check["evidence"]]


def _matches(check: Check) -> list[list[str]]:
    found = []
    for m in check["matches"]:
        place = [_degrees(m["lat"]), _degrees(m["lon"])]
        found.append([m["photo"], *place, str(m["matches"]), str(m["inliers"]), f"{m['evidence']:.0f}"])
    return found


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("command", " ".join(record["command"])), ("platform", record["platform"])]
    found += [(f"version of {name}", version) for name, version in record["made_by"].items()]
    for kind in ("index", "map"):
        found += [(f"{kind}, {name}", str(value)) for name, value in (record[kind] or {}).items()]
    options = {name: value for name, value in record["options"].items() if value not in (None, [], False)}
    return found + [(f"option {name}", str(value)) for name, value in options.items()]
