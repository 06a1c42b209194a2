"""Markup: what is told stays text, whatever is in it, and both an XML and an HTML parser read it back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

from geoloc_cli.export.markup import Html, element, esc, join, number, path_data

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "]]></svg><!-- &lt;b&gt; &amp; {{7*7}}",
    "javascript:alert(1)",
]


class Reader(HTMLParser):
    """What a browser's parser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text_in_elements_and_attributes(text: str) -> None:
    made = element("p", text, element("b", text), title=text)
    reader = Reader()
    reader.feed(made)
    assert reader.tags == ["p", "b"]
    assert reader.attributes == [("title", text)]
    assert reader.text == text * 2
    root = ElementTree.fromstring(made)
    assert (root.text, root.get("title"), root[0].text) == (text, text, text)


def test_markup_is_escaped_once_and_never_trusted_in_an_attribute() -> None:
    inner = element("b", "1 < 2")
    assert element("p", inner) == "<p><b>1 &lt; 2</b></p>"
    assert element("p", title=inner) == '<p title="&lt;b&gt;1 &amp;lt; 2&lt;/b&gt;"></p>'
    # Text that was put together of markup is text again.
    assert esc(inner + " and <i>") == "&lt;b&gt;1 &amp;lt; 2&lt;/b&gt; and &lt;i&gt;"
    assert join(["<", None, Html("<hr/>")], "&") == "&lt;&amp;<hr/>"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("a\u2067b\u2069\u200f", "a\\u2067b\\u2069\\u200f"),
        (b"caf\xe9.jpg".decode("utf-8", "surrogateescape"), "caf\\udce9.jpg"),
        ("bell\x07 null\x00 c1\x9b", "bell\\x07 null\\x00 c1\\x9b"),
        ("\ufffe\uffff", "\\ufffe\\uffff"),
        ("שלום صورة 写真 📷 e\u0301", "שלום صورة 写真 📷 e\u0301"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_what_would_mislead_or_break_a_file_is_shown_as_an_escape(name: str, shown: str) -> None:
    made = element("title", name)
    assert ElementTree.fromstring(made.encode("utf-8")).text == shown


def test_elements_that_html_knows_no_short_form_of_have_an_end() -> None:
    assert element("td") == "<td></td>"
    assert element("path", d="M0 0") == '<path d="M0 0"/>'
    assert element("meta", charset="utf-8") == '<meta charset="utf-8"/>'
    assert element("g", None, hidden=True, id=None, class_="a", aria_label="b", x=1.50001) == (
        '<g hidden="" class="a" aria-label="b" x="1.5"></g>'
    )


def test_numbers_are_short() -> None:
    assert [number(v) for v in (3, 3.5, -0.25, -0.001, 1e6, 0.126)] == ["3", "3.5", "-0.25", "0", "1000000", "0.13"]


def test_a_path_is_short_and_adds_no_errors_up() -> None:
    rng = np.random.default_rng(0)
    line = np.cumsum(rng.normal(0.0, 0.37, (2000, 2)), axis=0) + 200.0
    data = path_data([line])
    start, steps = data[1:].split("l")
    numbers = [float(v) for v in steps.replace("-", " -").split()]
    walked = np.cumsum([[float(v) for v in start.split()], *np.reshape(numbers, (-1, 2)).tolist()], axis=0)
    assert np.abs(walked[-1] - line[-1]).max() <= 0.0501
    assert len(data) < 8 * len(line)
    assert path_data([np.array([[1.0, 2.0]])]) == "M1 2h.1"
    assert path_data([np.array([[1.0, 2.0], [1.01, 2.0]])], closed=True) == ""
    thinned = path_data([np.stack([np.arange(0.0, 50.1, 0.1), np.zeros(501)], axis=-1)], least=10.0)
    assert thinned == "M0 0l10 0 10 0 10 0 10 0 10 0"
