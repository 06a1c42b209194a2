"""Pictures in the terminal: half blocks with the picture's colours, picture protocols, or one sentence."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.cli.preview import escapes, protocol_of, show_small
from geoloc_cli.export.scene import INK, VERMILION, Line, Picture, Scene, Words
from geoloc_cli.export.scene_png import png

CELL = re.compile(r"38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)")


def scene() -> Scene:
    """Red over blue, 600 x 200 of them, with a caption."""
    pixels = np.zeros((200, 600, 3), np.uint8)
    pixels[:100, :, 0] = pixels[100:, :, 2] = 200
    items = [Picture(0, 0, 600, 200, pixels), Words(10, 220, "a\x1b[31m name"), Words(10, 240, "[bold]12 m")]
    return Scene(600, 260, items=items)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One of 60 columns and all colours, as far as the environment says."""
    for name in ("NO_COLOR", "TMUX", "STY", "ZELLIJ", "TERM_PROGRAM", "KITTY_WINDOW_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm", "COLUMNS": "60"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_half_blocks_have_the_colours_of_the_picture(terminal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show_small(scene())
    out, err = capsys.readouterr()
    rows = [line for line in out.splitlines() if "▀" in line]
    assert len(rows) == 10  # 60 columns are 20 pixels high, two in each character
    assert {row.count("▀") for row in rows} == {60}
    upper, lower = CELL.findall(rows[1])[0], CELL.findall(rows[-2])[0]
    assert [int(v) for v in upper] == [200, 0, 0] * 2
    assert [int(v) for v in lower] == [0, 0, 200] * 2
    assert "a\\x1b[31m name" in out
    assert "[bold]12 m" in out
    assert not err


def test_of_many_lines_a_few_are_thick_enough_to_be_seen(terminal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shown = scene()
    for y in np.linspace(5, 60, 200):
        shown.add(Line([np.array([[0.0, y], [600.0, y]])], VERMILION, 1.0, halo=INK, kind="inlier"))
    shown.add(Line([np.array([[0.0, 150.0], [600.0, 150.0]])], VERMILION, 1.0, halo=INK, kind="inlier"))
    show_small(shown)
    rows = [line for line in capsys.readouterr().out.splitlines() if "▀" in line]
    want = np.array(list(bytes.fromhex(VERMILION[1:])))
    colours = np.array(CELL.findall(rows[7])[0], int).reshape(2, 3)
    # The line at 150 of 200 lies over the blue half, at the border of two blocks: each is 0.4 of its colour. As it was,
    # of the width 1, it would be 0.05 of either.
    shares = (colours @ want) / (want @ want) - (np.array([0, 0, 200]) @ want) / (want @ want)
    assert shares == pytest.approx([0.4, 0.4], abs=0.1)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("FORCE_COLOR", None, "not a terminal"), ("NO_COLOR", "1", "NO_COLOR"), ("TERM", "dumb", "no colours")],
)
def test_elsewhere_it_is_one_sentence(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None, why: str
) -> None:
    if value is None:
        terminal.delenv(name)
    else:
        terminal.setenv(name, value)
    show_small(scene())
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("There is no preview: ")
    assert why in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-kitty"}, ""),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/tmux,1,0"}, ""),
        ({"TERM": "xterm-256color"}, ""),
    ],
)
def test_a_protocol_is_used_only_where_the_terminal_names_itself(environment: dict[str, str], protocol: str) -> None:
    assert protocol_of(environment) == protocol


def test_the_protocols_carry_the_whole_picture() -> None:
    picture = png(Scene(600, 300, items=[Line([np.random.default_rng(0).uniform(0, 300, (400, 2))], INK)]))
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", escapes("kitty", picture, 70))
    assert len(parts) > 2
    assert parts[0][0] == "a=T,f=100,c=70,m=1"
    assert [head for head, _ in parts[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]
    assert all(len(data) <= 4096 for _, data in parts)
    assert base64.b64decode("".join(data for _, data in parts)) == picture
    found = re.fullmatch(
        r"\x1b]1337;File=inline=1;width=70;preserveAspectRatio=1:(.*)\x07", escapes("iterm2", picture, 70)
    )
    assert found
    assert Image.open(io.BytesIO(base64.b64decode(found.group(1)))).size == (600, 300)
