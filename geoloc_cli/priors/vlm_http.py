"""An OpenAI-compatible endpoint, asked politely: bounded in time, size, tries and requests at once.

Only the URL that the user gave is ever contacted: redirects are refused, proxies and credentials of the environment are
not looked at unless the user says so. The key is read from the environment for each request, is kept nowhere, and is
cut out of whatever comes back. This is the one file that imports httpx.
"""

from __future__ import annotations

import base64
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from geoloc_cli.errors import MissingExtra, PriorFailed, UsageError
from geoloc_cli.models.offline import offline
from geoloc_cli.priors.vlm_localizable import MOST_TOKENS, chance_in
from geoloc_cli.priors.vlm_talk import Reply, Request, Shown, Turn
from geoloc_cli.priors.vlm_tools import called, offered

# An answer of 4000 tokens is 16 kB; whatever is larger than this is none.
_LARGEST_BYTES = 2 << 20
_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
# A wait that the server asks for is granted up to this many seconds; the request fails where it asks for more.
_LONGEST_WAIT_S = 120.0
_FIRST_WAIT_S = 0.5
# Parts that a server may refuse, each by the word that its complaint then holds.
_SIMPLER = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "response_format": "response_format",
    "logprobs": "logprobs",
    "tools": "tool",
}
# Of these the first that was sent is left out where a complaint names nothing.
_DOUBTFUL = ("response_format", "logprobs")
# What is no network, and is asked with --offline, too.
_HERE = ("localhost", "127.0.0.1", "::1")
_SECRET_WORDS = ("key", "token", "secret", "password", "sig")
# After so many requests in a row to which nobody answered at all, the endpoint is left alone for a while: ten thousand
# photos take bounded time where it is gone. An answer that refuses (429, 500) does not count.
_GIVE_UP_AFTER = 5
_LEFT_ALONE_S = 30.0


@dataclass(slots=True)
class Usage:
    """What was asked for and what it took."""

    requests: int = 0
    retries: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def cost(self, per_million_input: float, per_million_output: float) -> float:
        """In the currency in which a million tokens are stated."""
        return (self.input_tokens * per_million_input + self.output_tokens * per_million_output) / 1e6


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a try failed; `again`: whether to try again, `wait_s`: how long the server wants to be left alone."""

    why: str
    again: bool
    wait_s: float | None = None
    status: int = 0
    body: str = ""


@dataclass
class Endpoint:
    """`url` up to and with `/v1`; `key_env` names the environment variable that holds the key, if there is one."""

    url: str
    model: str
    key_env: str
    timeout_s: float
    retries: int
    concurrency: int
    env_proxy: bool = False
    tools: bool = False
    sleep: Callable[[float], None] = time.sleep
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("prior 'vlm' needs httpx; run `pip install 'geoloc[vlm]'`.") from error
        self._target = _checked(self.url)
        if offline() and urlsplit(self._target).hostname not in _HERE:
            raise UsageError(f"{self.place} is not on this machine, and --offline keeps off the network; leave it out.")
        self._client = httpx.Client(
            follow_redirects=False, trust_env=self.env_proxy, timeout=httpx.Timeout(self.timeout_s)
        )
        self._slots = threading.BoundedSemaphore(self.concurrency)
        self._lock = threading.Lock()
        self._dropped: set[str] = set()
        self._in_a_row, self._closed_until = 0, 0.0

    @property
    def place(self) -> str:
        """The URL without what may follow a question mark: for messages and keys of a cache."""
        return self._target.partition("?")[0]

    @property
    def identity(self) -> str:
        return f"{self.place} {self.model}{' tools' if self.tools else ''}"

    def close(self) -> None:
        self._client.close()

    def say(self, request: Request) -> Reply:
        """One chat completion. Raises PriorFailed, whose message never holds the key, when all tries have failed."""
        body = self._body(request)
        with self._lock:
            if time.monotonic() < self._closed_until:
                raise PriorFailed(f"{self.place} failed {self._in_a_row} times in a row and is left alone for a while.")
        with self._slots:
            reply = self._persist(body)
        with self._lock:
            if isinstance(reply, Reply):
                self._in_a_row = 0
                self.usage.input_tokens += reply.input_tokens
                self.usage.output_tokens += reply.output_tokens
                return reply
            self.usage.failures += 1
            self._in_a_row = 0 if reply.status else self._in_a_row + 1
            if self._in_a_row >= _GIVE_UP_AFTER:
                self._closed_until = time.monotonic() + _LEFT_ALONE_S
        raise PriorFailed(f"{self.place} gave no answer: {reply.why}.")

    def _body(self, request: Request) -> dict[str, Any]:
        said = {
            "model": self.model,
            "messages": [{"role": turn.role, "content": _content(turn)} for turn in request.turns],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        if request.yes_or_no:
            return said | {"logprobs": True, "top_logprobs": MOST_TOKENS}
        tools = offered(request.schema) if self.tools else []
        schema = {"name": "place", "strict": True, "schema": request.schema}
        return said | {
            "response_format": {"type": "json_schema", "json_schema": schema},
            **({"tools": tools} if tools else {}),
        }

    def _persist(self, body: dict[str, Any]) -> Reply | _Trouble:
        """Tries until there is a reply, or none can be hoped for."""
        tries = 0
        while True:
            sent = self._adapted(body)
            reply = self._once(sent)
            if isinstance(reply, Reply):
                return reply
            if self._simplify(reply, sent):
                continue
            if not reply.again or tries >= self.retries:
                return reply
            wait = _FIRST_WAIT_S * 2.0**tries * random.uniform(0.5, 1.5)
            if reply.wait_s is not None:
                if reply.wait_s > _LONGEST_WAIT_S:
                    return _Trouble(f"{reply.why}, to be asked again in {reply.wait_s:.0f} s", False)
                wait = max(reply.wait_s, wait)
            tries += 1
            with self._lock:
                self.usage.retries += 1
            self.sleep(min(wait, _LONGEST_WAIT_S))

    def _adapted(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request without what this server was found to refuse."""
        with self._lock:
            sent = {key: value for key, value in body.items() if key not in self._dropped}
        if "max_tokens" in body and "max_tokens" not in sent:
            sent["max_completion_tokens"] = body["max_tokens"]
        if "logprobs" not in sent:
            sent.pop("top_logprobs", None)
        return sent

    def _simplify(self, trouble: _Trouble, sent: dict[str, Any]) -> bool:
        """Whether a refused request is worth another try without the part that was refused: each part once."""
        named = [key for key in _SIMPLER if key in sent and _SIMPLER[key] in trouble.body]
        # A server that grants this model no log-probabilities may call that forbidden.
        if trouble.status not in (400, 415, 422, 501) and (trouble.status, named) != (403, ["logprobs"]):
            return False
        part = named[0] if named else next((key for key in _DOUBTFUL if key in sent), None)
        if part is None:
            return False
        with self._lock:
            self._dropped.add(part)
        return True

    def _once(self, body: dict[str, Any]) -> Reply | _Trouble:
        """One request. Errors of httpx end here: they carry the request, and with it the key."""
        import httpx

        key = _key_of(self.key_env)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        with self._lock:
            self.usage.requests += 1
        try:
            with self._client.stream("POST", self._target, json=body, headers=headers) as response:
                return self._read(response, key, "tools" in body)
        except httpx.TimeoutException:
            why = f"no answer within {self.timeout_s:g} s"
        except httpx.ConnectError:
            why = "no connection"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            why = f"the connection broke ({type(error).__name__})"
        return _Trouble(why, True)

    def _read(self, response: Any, key: str, tools: bool) -> Reply | _Trouble:
        """response: httpx.Response, its body not read yet."""
        deadline = time.monotonic() + self.timeout_s
        data = bytearray()
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return _Trouble("the answer is compressed, which was not asked for", False)
        for chunk in response.iter_raw():
            data += chunk
            if len(data) > _LARGEST_BYTES:
                return _Trouble(f"the answer is larger than {_LARGEST_BYTES >> 20} MB", False)
            if time.monotonic() > deadline:
                return _Trouble(f"the answer was not complete within {self.timeout_s:g} s", True)
        text = data.decode("utf-8", errors="replace")
        status = int(response.status_code)
        if 300 <= status < 400:
            return _Trouble(
                f"it redirects (status {status}), which is not followed; give the final URL", False, status=status
            )
        if status in (401, 403):
            why = f"status {status}: the key in {self.key_env} is missing or refused"
            return _Trouble(why, False, status=status, body=text[:4000])
        if status != 200:
            wait = _retry_after(response.headers.get("retry-after"))
            return _Trouble(f"status {status}", status in _RETRIED, wait, status, text[:4000])
        return _reply(text, key, tools)


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    """A message as the OpenAI interface has it: one text as such, which the oldest servers want."""
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return turn.parts[0]
    return [{"type": "text", "text": part} if isinstance(part, str) else _image(part) for part in turn.parts]


def _image(shown: Shown) -> dict[str, Any]:
    data = base64.b64encode(shown.jpeg()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def _checked(url: str) -> str:
    """Where requests go. UsageError where the URL is none, or holds what should be in the environment."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.scheme not in ("http", "https"):
        raise UsageError("The vlm's url is not an http or https URL; give one such as http://localhost:8000/v1.")
    secret = [name for name, _ in parse_qsl(parts.query) if any(word in name.lower() for word in _SECRET_WORDS)]
    if parts.username or parts.password or secret:
        raise UsageError("The vlm's url holds a password or key; put it into GEOLOC_VLM_API_KEY instead.")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return parts._replace(path=path, fragment="").geturl()


def _key_of(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"The key in {name} holds spaces or characters that no header takes; set it again.")
    return key


def _retry_after(stated: str | None) -> float | None:
    """Seconds, stated as such or as a date; None where nothing sensible is stated."""
    if not stated:
        return None
    try:
        if stated.strip().isdecimal():
            return float(stated)
        when = parsedate_to_datetime(stated)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _reply(text: str, key: str, tools: bool) -> Reply | _Trouble:
    """The message of a completion, or its call of a tool where some were offered; nothing else is looked at."""
    try:
        loaded = json.loads(text)
        choice = loaded["choices"][0]
        message = choice["message"]
        content = message.get("content") or message.get("refusal") or ""
        if isinstance(content, list):
            content = "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
        content = (called(message) if tools else "") or content
        counted = loaded.get("usage") or {}
        tokens = [counted.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _Trouble("its answer is no chat completion", True)
    if not isinstance(content, str):
        return _Trouble("its answer is no chat completion", True)
    whole = [token if isinstance(token, int) and 0 <= token < 10**9 else 0 for token in tokens]
    return Reply(content.replace(key, "(key)") if key else content, whole[0], whole[1], chance_in(choice))
