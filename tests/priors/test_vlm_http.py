"""Trouble with the server of a model: what is tried again, what is not, what it costs, and what must stay secret."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

pytest.importorskip("httpx")

from scripted import CANARY, LYON, PARIS, Turn, answering, bounded, guess, prior

from geoloc_cli.errors import NotAPhoto, PhotoError, PriorFailed, UsageError
from geoloc_cli.priors.vlm import VlmOptions, VlmPrior
from geoloc_cli.types import Photo

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("keyed")


RECOVERED = {
    "429 with Retry-After": Turn(status=429, headers={"Retry-After": "0"}),
    "500": Turn(status=500, raw=b"oops"),
    "cut in the middle": Turn(PARIS, cut=40),
    "no JSON": Turn(raw=b"<html>gateway</html>"),
    "another JSON": Turn(raw=b'{"choices": []}'),
    "silence": Turn(PARIS, silence_s=3.0),
}


@pytest.mark.parametrize("trouble", RECOVERED)
def test_passing_trouble_is_overcome(photo: Photo, trouble: str) -> None:
    began = time.monotonic()
    said = guess(photo, RECOVERED[trouble], PARIS, timeout_s=0.3)
    assert said is not None
    assert said.lat == pytest.approx(48.8584)
    assert bounded(began, 2.5)


FATAL = {
    "429 for ever": (Turn(status=429, headers={"Retry-After": "0"}), "status 429", 3),
    "429 for an hour": (Turn(status=429, headers={"Retry-After": "3600"}), "3600 s", 1),
    "500 for ever": (Turn(status=500, raw=b""), "status 500", 3),
    "no key": (Turn(status=401, raw=b'{"error": "Incorrect API key"}'), "GEOLOC_VLM_API_KEY", 1),
    "no such model": (Turn(status=404, raw=b'{"error": "no model"}'), "status 404", 1),
    "silence": (Turn(PARIS, silence_s=3.0), "0.3 s", 3),
    "cut for ever": (Turn(PARIS, cut=40), "connection broke", 3),
    "a huge answer": (Turn(raw=b'{"choices": "' + b"x" * (3 << 20) + b'"}'), "larger than 2 MB", 1),
    "compressed": (Turn(PARIS, headers={"Content-Encoding": "gzip"}), "compressed", 1),
    "elsewhere": (Turn(status=307, headers={"Location": "http://127.0.0.2:9/v1/chat/completions"}), "redirects", 1),
}


@pytest.mark.parametrize("trouble", FATAL)
def test_lasting_trouble_fails_in_bounded_time_and_says_why(photo: Photo, trouble: str) -> None:
    turn, why, requests = FATAL[trouble]
    began = time.monotonic()
    with answering(turn) as server:
        asked = prior(server.url, timeout_s=0.3)
        with pytest.raises(PriorFailed, match=why):
            asked.believe(photo)
        assert len(server.asked) == requests
    assert bounded(began, 3.0)
    assert asked.report()["failures"] == 1
    assert issubclass(PriorFailed, PhotoError)


def test_a_retry_waits_as_long_as_it_is_told_to(photo: Photo) -> None:
    waits: list[float] = []
    with answering(Turn(status=429, headers={"Retry-After": "7"}), Turn(status=503), PARIS) as server:
        asked = prior(server.url)
        asked._endpoint.sleep = waits.append
        assert asked.believe(photo) is not None
    assert waits[0] == 7.0
    assert 0.5 * 0.02 <= waits[1] <= 1.5 * 0.02  # the second wait, twice 0.01 s, with jitter


def test_a_server_that_knows_no_schema_is_asked_without_one_from_then_on(photo: Photo) -> None:
    refusal = Turn(status=400, raw=b'{"error": "response_format json_schema is not supported"}')
    with answering(refusal, PARIS) as server:
        asked = prior(server.url, retries=0)
        assert asked.believe(photo) is not None
        assert asked.believe(photo) is not None
    assert ["response_format" in body for body in server.asked] == [True, False, False]


def test_a_server_that_wants_another_word_for_the_length_gets_it(photo: Photo) -> None:
    refusal = Turn(status=400, raw=b'{"error": "max_tokens is not supported, use max_completion_tokens"}')
    with answering(refusal, PARIS) as server:
        assert prior(server.url, retries=0).believe(photo) is not None
    assert [("max_tokens" in body, body.get("max_completion_tokens")) for body in server.asked] == [
        (True, None),
        (False, 1000),
    ]


def test_an_endpoint_that_is_gone_is_left_alone_after_a_few_photos(photo: Photo) -> None:
    with answering(PARIS) as server:
        url = server.url
    began = time.monotonic()
    asked = prior(url, retries=0)
    outcomes = [outcome for _, outcome in asked.believe_all([photo] * 200)]
    assert all(isinstance(outcome, PriorFailed) for outcome in outcomes)
    assert asked.report()["requests"] <= 5 + 4  # five in a row, and those that were under way
    assert bounded(began, 5.0)


def photos(folder: Path, count: int) -> Iterator[Photo]:
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (8, 8), (number % 256, number // 256, 0)).save(path)
        yield Photo(str(path), 8, 8)


def test_no_more_requests_at_once_than_allowed_and_answers_in_order(tmp_path: Path) -> None:
    taken: list[Photo] = []

    def counted() -> Iterator[Photo]:
        for photo in photos(tmp_path, 60):
            taken.append(photo)
            yield photo

    with answering(PARIS, slow_s=0.01) as server:
        found = prior(server.url, concurrency=3).believe_all(counted())
        first, _ = next(found)
        assert len(taken) <= 7  # two for each of the three, and the one that is out
        rest = [photo for photo, outcome in found if isinstance(outcome, tuple)]
    assert [first, *rest] == taken
    assert server.most_at_once == 3
    assert len(server.asked) == 60


def test_an_interrupted_run_asks_nothing_twice(tmp_path: Path) -> None:
    options = {"cache": str(tmp_path / "cache"), "samples": 2}
    todo = list(photos(tmp_path, 12))
    with answering(PARIS, LYON) as server:
        running = prior(server.url, **options).believe_all(todo)
        for _ in range(5):
            next(running)
        running.close()  # type: ignore[attr-defined]
        before = len(server.asked)
        again = prior(server.url, **options)
        outcomes = [outcome for _, outcome in again.believe_all(todo)]
        assert all(isinstance(outcome, tuple) for outcome in outcomes)
        assert len(server.asked) == 24
        assert again.report()["cached"] == before
        # Another model, prompt, size or sample is another question.
        for change in (
            {"model": "n"},
            {"strategy": "clues"},
            {"max_px": 512},
            {"max_tokens": 99},
            {"temperature": 0.1},
        ):
            asked = len(server.asked)
            prior(server.url, **(options | change)).believe(todo[0])
            assert len(server.asked) == asked + 2, change


def test_failures_are_not_kept(photo: Photo, tmp_path: Path) -> None:
    with answering(Turn(status=500), PARIS) as server:
        asked = prior(server.url, retries=0, cache=str(tmp_path / "cache"))
        with pytest.raises(PriorFailed):
            asked.believe(photo)
        assert asked.believe(photo) is not None


def test_a_photo_that_cannot_be_read_is_an_error_of_that_photo(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with answering(PARIS) as server, pytest.raises(NotAPhoto):
        prior(server.url).believe(Photo(str(broken), 8, 8))
    assert server.asked == []


def test_the_report_counts_tokens_and_money(photo: Photo) -> None:
    with answering(PARIS) as server:
        asked = prior(server.url, samples=2, input_price=2.0, output_price=10.0)
        asked.believe(photo)
    report = asked.report()
    assert (report["requests"], report["input_tokens"], report["output_tokens"]) == (2, 2000, 100)
    assert report["cost"] == pytest.approx((2000 * 2.0 + 100 * 10.0) / 1e6)


def test_the_key_is_sent_and_appears_nowhere_else(
    photo: Photo, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    echoed = PARIS.replace("A tower.", f"Your key is {CANARY}.")
    seen = []
    cache = tmp_path / "cache"
    with answering(echoed) as server:
        asked = prior(server.url, cache=str(cache))
        seen += [repr(asked.believe(photo)), repr(asked.report()), repr(asked.options), repr(asked._endpoint)]
        assert server.keys == [f"Bearer {CANARY}"]
    for turn in (Turn(status=400, raw=CANARY.encode()), Turn(PARIS, cut=20), Turn(status=401, raw=CANARY.encode())):
        with answering(turn) as server, pytest.raises(PriorFailed) as failed:
            prior(server.url, retries=0).believe(photo)
        chain: BaseException | None = failed.value
        while chain is not None:
            seen += [repr(chain), str(chain.__dict__)]
            chain = chain.__cause__ or chain.__context__
    files = [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    assert files
    out, err = capfd.readouterr()
    assert not [text for text in (*seen, caplog.text, out, err) if CANARY in text]
    assert not [data for data in files if CANARY.encode() in data]


def test_another_variable_holds_the_key_only_where_the_user_names_it(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEOLOC_VLM_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    with answering(PARIS) as server:
        prior(server.url).believe(photo)
        prior(server.url, key_env="OPENAI_API_KEY").believe(photo)
    assert server.keys == [None, "Bearer sk-other"]


def test_a_key_that_no_header_takes_is_refused_without_being_shown(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOLOC_VLM_API_KEY", f"{CANARY}\nX-Evil: 1")
    with answering(PARIS) as server, pytest.raises(UsageError) as refused:
        prior(server.url).believe(photo)
    assert CANARY not in str(refused.value)


def test_proxies_of_the_environment_are_taken_only_where_the_user_says_so(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(LYON) as proxy, answering(PARIS) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        prior(server.url).believe(photo)
        assert (len(proxy.asked), len(server.asked)) == (0, 1)
        prior(server.url, env_proxy=True).believe(photo)
        assert (len(proxy.asked), len(server.asked)) == (1, 1)


def test_offline_asks_this_machine_and_no_other(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_OFFLINE", "1")
    with answering(PARIS) as server:
        assert prior(server.url).believe(photo) is not None
    with pytest.raises(UsageError, match="--offline"):
        prior("https://models.example.org/v1")


@pytest.mark.parametrize(
    "options",
    [
        {"url": ""},
        {"model": ""},
        {"url": "ftp://host/v1"},
        {"url": "localhost:8000"},
        {"url": "http://user:pass@host/v1"},
        {"url": "https://host/v1?api_key=1"},
        {"url": "http://[::1/v1"},
        {"strategy": "magic"},
        {"samples": 0},
        {"samples": 1000},
        {"timeout_s": 0.0},
        {"timeout_s": float("nan")},
        {"retries": -1},
        {"max_px": 0},
        {"concurrency": 0},
        {"key_env": "AWS_SECRET_ACCESS_KEY"},
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        VlmPrior(VlmOptions(**{"url": "http://localhost/v1", "model": "m"} | options))
    assert "pass" not in str(refused.value).split("a password")[0]
