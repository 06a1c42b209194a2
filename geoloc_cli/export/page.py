"""Reports as one HTML file: nothing is fetched, no script runs, and what it is told is only ever text.

The policy in its head forbids everything but the one style sheet, known by its hash, and pictures written into the
file. It reads by day, by night and on paper, from 360 pixels on, and by headings and landmarks aloud.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from geoloc_cli.export.markup import Content, Html, element, join


class Page:
    """A report that grows by sections, and is written at once."""

    def __init__(self, title: str, *, lead: Content = None, lang: str = "en") -> None:
        self.title = title
        self.lang = lang
        self._lead = lead
        self._sections: list[tuple[str, Html]] = []

    def section(self, heading: str, *content: Content) -> None:
        """A part of the page under a heading, named in the list at its top; text becomes a paragraph."""
        parts = [part if isinstance(part, Html) or part is None else element("p", part) for part in content]
        name = f"part-{len(self._sections) + 1}"
        body = join([element("h2", heading, id=f"{name}-heading"), *parts])
        self._sections.append((heading, element("section", body, id=name, aria_labelledby=f"{name}-heading")))

    def html(self) -> str:
        """The whole file, to be written as UTF-8."""
        style = _style()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", self.title),
            element("style", Html(style)),
        )
        lead = self._lead if isinstance(self._lead, Html) or not self._lead else element("p", self._lead, class_="lead")
        body = element(
            "body",
            element("a", "To the content", href="#content", class_="skip"),
            element("header", element("h1", self.title), lead),
            self._contents(),
            element("main", join([section for _, section in self._sections]), id="content"),
        )
        return f"<!DOCTYPE html>\n{element('html', head, body, lang=self.lang)}\n"

    def _contents(self) -> Html | None:
        if len(self._sections) < 2:
            return None
        links = [
            element("li", element("a", heading, href=f"#part-{number}"))
            for number, (heading, _) in enumerate(self._sections, 1)
        ]
        return element("nav", element("ul", join(links)), aria_label="Contents")


def table(
    head: Sequence[Content],
    rows: Sequence[Sequence[Content]],
    *,
    caption: str,
    numbers: str = "",
    below: tuple[str, Sequence[Sequence[Content]]] | None = None,
) -> Html:
    """A table; its first column names the rows. `numbers` has a letter a column, `n` where it holds numbers.

    Numbers stand at the right. `below` are rows of another kind, under a heading that says of which. On a narrow screen
    it is scrolled by itself, by the keyboard too, below its caption.
    """
    kinds = numbers.ljust(len(head), "-")

    def cell(name: str, content: Content, kind: str, scope: str | None) -> Html:
        return element(name, content, scope=scope, class_="n" if kind == "n" else None)

    titles = [cell("th", text, kind, "col") for text, kind in zip(head, kinds, strict=True)]

    def lines(some: Sequence[Sequence[Content]]) -> Html:
        made = []
        for row in some:
            first, *rest = zip(row, kinds, strict=True)
            cells = [cell("th", *first, "row"), *(cell("td", *one, None) for one in rest)]
            made.append(element("tr", join(cells)))
        return join(made)

    aside = None
    if below is not None:
        said = element("tr", element("th", below[0], scope="rowgroup", colspan=len(head), class_="group"))
        aside = element("tbody", said, lines(below[1]), class_="aside")
    whole = element(
        "table",
        element("thead", element("tr", join(titles))),
        element("tbody", lines(rows)) if rows else None,
        aside,
        aria_label=caption,
    )
    sliding = element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return element("div", element("p", caption, class_="caption"), sliding)


def figure(content: Html, caption: Content) -> Html:
    """A picture, a chart or a map with what it shows."""
    return element("figure", content, element("figcaption", caption))


def row(*figures: Html) -> Html:
    """Figures beside each other where the screen is wide enough."""
    return element("div", join(figures), class_="row")


def facts(pairs: Sequence[tuple[Content, Content]]) -> Html:
    """A list of names and what they are, such as a run's options."""
    return element("dl", join([join([element("dt", name), element("dd", value)]) for name, value in pairs]))


def cards(items: Sequence[tuple[Html, Content, Content]]) -> Html:
    """Pictures with a heading and a text each, such as the worst twenty photographs; text becomes a paragraph."""
    made = []
    for picture, heading, text in items:
        said = text if isinstance(text, Html) or text is None else element("p", text)
        made.append(element("li", picture, element("div", element("h3", heading), said), class_="card"))
    return element("ul", join(made), class_="cards")


def code(text: object) -> Html:
    """Text as a program has it, such as a command or a file's name; it keeps its direction to itself."""
    return element("code", element("bdi", str(text)))


@cache
def _style() -> str:
    return files("geoloc_cli.export").joinpath("data/page.css").read_text(encoding="utf-8")
