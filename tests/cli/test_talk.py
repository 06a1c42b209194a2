"""What is said beside the data: quiet, verbose, a log of events without secrets, and a summary."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.cli import progress, talk
from geoloc_cli.cli.app import main
from geoloc_cli.cli.log import JsonHandler
from geoloc_cli.cli.redaction import redacted
from geoloc_cli.cli.summary import Tally
from geoloc_cli.types import Belief, Component, Failure, Fix

if TYPE_CHECKING:
    from conftest import SmallTown

Call = Callable[..., tuple[int, str, str]]
KEYS = ["time", "level", "event", "photo", "stage", "seconds", "message", "data"]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Arguments of `geoloc` -> exit status, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", *words])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capsys.readouterr()
        return int(done.value.code or 0), out, err

    return run


def events(log: Path | str) -> list[dict[str, Any]]:
    text = log.read_text() if isinstance(log, Path) else log
    return [json.loads(line) for line in text.splitlines()]


def asked(town: SmallTown) -> list[str]:
    return ["prior", town.photos[0].path, "gone.jpg", "--prior", "exif", "--workers", "1", "--format", "jsonl"]


def test_a_log_holds_each_photo_and_what_it_came_to(town: SmallTown, tmp_path: Path, call: Call) -> None:
    log = tmp_path / "run.ndjson"
    near = f"near={town.photos[0].lat:.5f},{town.photos[0].lon:.5f},5km"
    status, out, err = call(*asked(town), "--prior", near, "--log-json", str(log))
    found = events(log)
    assert all(list(event) == KEYS for event in found)
    assert [event["event"] for event in found] == ["start", "photo", "photo", "summary", "end"]
    first, lost = found[1:3]
    assert (first["photo"], first["level"], first["stage"]) == (town.photos[0].path, "info", "prior")
    assert (lost["photo"], lost["level"], lost["data"]["reason"]) == ("gone.jpg", "warning", "not_found")
    assert found[3]["data"] | {"slowest_s": 0} == {
        "photos": 2,
        "located": 1,
        "coarse": 0,
        "unlocated": 0,
        "failed": 1,
        "slowest": town.photos[0].path,
        "slowest_s": 0,
    }
    assert (found[4]["data"], status) == ({"status": 1}, 1)
    assert err == found[3]["message"] + "\n"
    place = json.loads(out.splitlines()[0])
    assert "near=(place),5km" in found[0]["data"]["command"]
    assert str(place["lat"])[:7] not in log.read_text()


def test_quiet_is_quiet_before_the_command_and_after_it_and_as_a_setting(
    town: SmallTown, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = asked(town)
    assert "2 photos: 1 located, 0 coarse, 0 unlocated, 1 failed; " in call(*words)[2]
    assert call("--quiet", *words)[2] == ""
    assert call(*words, "--quiet")[2] == ""
    monkeypatch.setenv("GEOLOC_QUIET", "true")
    assert call(*words)[2] == ""
    assert call("index", "remove", town.index, "gone.jpg")[2].startswith("geoloc: ")


def test_verbose_says_more_of_each_photo_and_twice_each_step(town: SmallTown, call: Call) -> None:
    once = call("-v", *asked(town))[2].splitlines()
    assert once[0].startswith(f"geoloc: {town.photos[0].path}: ok, prior; ")
    twice = call("-v", *asked(town), "-vv")[2].splitlines()
    assert once[1:2] == ["geoloc: gone.jpg: not_found"]
    assert len(twice) > len(once) == 3
    assert f"geoloc: {town.photos[0].path}: prior, 0.0" in "\n".join(twice)


def test_stderr_may_be_the_log_and_is_nothing_else_then(town: SmallTown, call: Call) -> None:
    _, _, err = call("--log-json", "-", *asked(town))
    assert [event["event"] for event in events(err)] == ["start", "photo", "photo", "summary", "end"]
    status, _, err = call("index", "info", "nowhere", "--log-json", "-")
    assert [(event["event"], event["level"]) for event in events(err)][1] == ("error", "error")
    assert status == 3


def test_a_log_that_cannot_be_written_is_said(call: Call) -> None:
    status, _, err = call("schema", "--log-json", "/nowhere/run.ndjson")
    assert (status, err) == (
        2,
        "geoloc: --log-json /nowhere/run.ndjson cannot be written (No such file or directory); name another.\n",
    )


def test_a_warning_is_one_sentence_and_a_call_leaves_no_handler(town: SmallTown, call: Call, capsys: Any) -> None:
    call("schema", "-v")
    logging.getLogger("geoloc_cli.geometry").warning("poses are slow\nTraceback:\n  many lines")
    assert capsys.readouterr().err == "geoloc: poses are slow\n"
    before = len(logging.getLogger().handlers)
    talk.begin()
    assert len(logging.getLogger().handlers) == before - 1


SECRETS = [
    "vlm?url=http://h&api_key=abc123def",
    "https://me:hunter2hunter@host/v1",
    "Authorization: Bearer abcdef0123456789",
    "token hf_abcdefgh12345678",
    "sk-proj-abcdefgh12345678",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_taken_out(text: str, tmp_path: Path, call: Call) -> None:
    hidden = redacted(text)
    assert "(secret)" in hidden
    assert not [part for part in ("abc123def", "hunter2", "abcdef") if part in hidden]
    log = tmp_path / "log"
    call("inspect", text, "--log-json", str(log))
    assert not [part for part in ("abc123def", "hunter2", "abcdef") if part in log.read_text()]


def test_places_are_taken_out_of_sentences_and_not_of_a_photos_name(tmp_path: Path) -> None:
    talk.begin()
    handler = JsonHandler(logging.INFO, str(tmp_path / "log"))
    record = logging.LogRecord("geoloc_cli", logging.INFO, "", 0, "1 of 2, at 48.8584, 2.29451", None, None)
    near = ["--near=-33.9,151.2,5km", "--near", "47,9,20km", "--claim=13.1,95,2km", "--prior=g?gallery=bbox:45,5,47,10"]
    record.photo, record.data = "48.8584,2.29451.jpg", {"command": near, "seconds": [1.5, 2.5]}
    handler.emit(record)
    handler.close()
    (event,) = events(tmp_path / "log")
    assert (event["message"], event["photo"]) == ("1 of 2, at (place)", "48.8584,2.29451.jpg")
    told = ["--near=(place),5km", "--near", "(place),20km", "--claim=(place),2km", "--prior=g?gallery=bbox:(place)"]
    assert event["data"] == {"command": told, "seconds": [1.5, 2.5]}


def test_what_a_variable_holds_is_a_secret_by_its_name() -> None:
    assert redacted("says swordfish", {"GEOLOC_VLM_API_KEY": "swordfish"}) == "says (secret)"
    plain = "geoloc locate a.jpg --near 48.85,2.35,5km --index key/features?weights=a.pth"
    assert redacted(plain, {"HOME": "geoloc"}) == plain


def fix(photo: str, radius_m: float | None, seconds: float) -> Fix:
    if radius_m is None:
        return Fix(
            photo, "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index", timing_ms={"a": seconds}
        )
    belief = Belief((Component(1.0, 2.0, radius_m, 1.0),), 0.0)
    return Fix(
        photo, "ok", "rerank", 1.0, 2.0, None, radius_m, 0.9, belief, timing_ms={"decode": 1.0, "pose": seconds * 1e3}
    )


def test_a_summary_counts_and_names_the_slowest(capsys: pytest.CaptureFixture[str]) -> None:
    talk.begin()
    tally = Tally()
    for answer in (fix("a", 12.0, 0.5), fix("b", 1000.1, 2.25), fix("c", None, 0.1), Failure("d", "not_found", "gone")):
        tally.add(answer)
    tally.tell(" More.")
    said = capsys.readouterr().err
    assert said.startswith(
        "4 photos: 1 located, 1 coarse, 1 unlocated, 1 failed; 0.0 s, the slowest b with 2.3 s. More."
    )


def test_without_a_terminal_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk.begin()
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.bar(1000, False) as shown:
        shown.expect("matching", 50)
        for _ in range(100):
            now[0] += 1.0
            shown.step("locating", 2)
        shown.step("matching", 10)
    told = capsys.readouterr()
    assert told.out == ""
    assert (
        told.err.splitlines()
        == [
            "locating: 60 of 1000 photos, 2 a second, 7 min 50 s left",
            "locating: 120 of 1000 photos, 2 a second, 7 min 20 s left",
            "locating: 180 of 1000 photos, 2 a second, 6 min 50 s left",
        ]
        + ["matching: 10 of 50 pairs, 0.1 a second, 6 min 40 s left"] * 1
    )
    with progress.byte_bar("megaloc", False) as step:
        now[0] += 40.0
        step(80_000_000, 880_000_000)
    assert capsys.readouterr().err == "megaloc: 80 of 880 MB, 2 a second, 6 min 40 s left\n"
    with progress.bar(10, True) as shown:
        now[0] += 40.0
        shown.step("locating", 1)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (7200, "2 h"), (1e5, "1 d 3 h")]
)
def test_durations_are_said_in_two_units(seconds: float, said: str) -> None:
    assert progress.duration(seconds) == said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_a_sentence_and_its_status_and_a_full_log_costs_no_answer(town: SmallTown, call: Call) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "geoloc_cli", "completion", "bash"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (12, 1)
    assert "No room is left for the output" in done.stderr
    status, out, err = call(*asked(town), "--log-json", "/dev/full")
    assert (status, len(out.splitlines())) == (1, 2)
    assert err.count("--log-json cannot be written any more") == 1
