"""What an image-text-to-text model of transformers answers to several requests at once."""

from __future__ import annotations

import copy
import io
import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
import transformers
from PIL import Image

from geoloc_cli.device import full_precision
from geoloc_cli.errors import PhotoError, PriorFailed
from geoloc_cli.models.folders import ModelFolder
from geoloc_cli.models.weights import versions
from geoloc_cli.priors.vlm_local_load import commands_of, first_line, folds_system, load, quietly, sides_of
from geoloc_cli.priors.vlm_localizable import NO, YES
from geoloc_cli.priors.vlm_talk import Reply, Request, Shown, digest_of

_LEAST_DRAWN = 1e-20
_NO_ROOM = ("out of memory", "can't allocate memory")
Messages = list[dict[str, Any]]


class LocalModel:
    """Answers requests in batches. In float32 an answer does not depend on its company; in half precision now and then,
    since a GPU adds up in another order for another size of a batch.
    """

    def __init__(self, folder: ModelFolder, device: str, dtype: str, batch: int, owner: str) -> None:
        """owner: who needs it, for messages. Raises WeightsMismatch where the model does not answer about pictures."""
        self._folder, self._device, self._dtype = folder, device, dtype
        self._batch = batch
        self._identity = ""
        self._requests = self._failures = self._input_tokens = self._output_tokens = 0
        network, self._processor = load(folder, dtype, owner)
        self._folds_system = folds_system(self._processor, folder, owner)
        self.network = network.to(device)
        self._tokenizer = self._processor.tokenizer
        self._commands = commands_of(self._tokenizer)
        self._sides = sides_of(self._tokenizer)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._ends = _ends(self.network.generation_config.eos_token_id, self._tokenizer.eos_token_id)

    @property
    def identity(self) -> str:
        """Reads a folder of the user's own whole when it is first asked for."""
        if not self._identity:
            self._identity = f"{versions('torch', 'transformers')}, {self._folder.identity()}, {self._dtype}"
        return self._identity

    def close(self) -> None:
        self.network = None
        _release(self._device)

    def report(self) -> dict[str, Any]:
        return {
            "requests": self._requests,
            "failures": self._failures,
            "input_tokens": self._input_tokens,
            "output_tokens": self._output_tokens,
        } | ({"at_once": self._batch} if self._requests else {})

    def say(self, request: Request) -> Reply:
        """Raises PriorFailed where there is no answer, and PhotoError's other kin where a picture cannot be read."""
        reply = self.say_all([request])[0]
        if isinstance(reply, PhotoError):
            raise reply
        return reply

    def say_all(self, requests: Sequence[Request]) -> list[Reply | PhotoError]:
        """An answer to each, or why there is none. Those that end alike and whose pictures are alike go together."""
        said = dict[int, Reply | PhotoError]()
        ready = dict[int, tuple[Request, Messages]]()
        for i, request in enumerate(requests):
            try:
                ready[i] = request, self.messages(request)
            except PhotoError as error:
                said[i] = error
        waiting = deque(sorted(ready, key=lambda i: _size(*ready[i])))
        most = self._batch
        while waiting:
            first = ready[waiting[0]][0]
            alike = [i for i in waiting if ready[i][0].max_tokens == first.max_tokens][:most]
            replies, why = self._tried([ready[i] for i in alike])
            if why is None:
                said.update(zip(alike, replies, strict=True))
            elif len(alike) == 1:
                said[alike[0]] = PriorFailed(why)
            else:
                most = len(alike) // 2
                continue
            for i in alike:
                waiting.remove(i)
        self._requests += len(requests)
        self._failures += sum(isinstance(reply, PhotoError) for reply in said.values())
        return [said[i] for i in range(len(requests))]

    def _tried(self, asked: list[tuple[Request, Messages]]) -> tuple[list[Reply], str | None]:
        """The answers, or why there are none: where memory ran out, later batches are smaller, too."""
        why = None
        try:
            with quietly(), torch.inference_mode(), full_precision():
                return self._answers(asked), None
        except (RuntimeError, ValueError, MemoryError) as error:
            why = first_line(error)
            no_room = isinstance(error, MemoryError) or any(words in str(error) for words in _NO_ROOM)
        # Only here is the failed batch free to go: the exception held it.
        if no_room:
            _release(self._device)
            self._batch = max(1, min(self._batch, len(asked) // 2))
            why = f"memory does not hold one picture ({why}); give a smaller max_px"
        return [], f"the model gave no answer: {why}."

    def messages(self, request: Request) -> Messages:
        """The turns as its chat template takes them, pictures decoded. Raises PhotoError where one cannot be.

        What is read off a picture may say `<|im_end|>`: in a message that is no command, and a space breaks it.
        """
        found: Messages = []
        folded: list[dict[str, Any]] = []
        for turn in request.turns:
            parts = [self._part(part) for part in turn.parts]
            if turn.role == "system" and self._folds_system:
                folded += parts
                continue
            found.append({"role": turn.role, "content": folded + parts})
            folded = []
        return found

    def _part(self, part: str | Shown) -> dict[str, Any]:
        if isinstance(part, Shown):
            return {"type": "image", "image": Image.open(io.BytesIO(part.jpeg())).convert("RGB")}
        return {"type": "text", "text": self._commands.sub(lambda found: f"{found[0][0]} {found[0][1:]}", part)}

    def encoded(self, conversations: list[Messages]) -> Any:
        """What the network takes, by name: tokens (B, N) with padding on their left, and pixels."""
        return self._processor.apply_chat_template(
            conversations,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"padding": True, "padding_side": "left"},
        ).to(self._device, dtype=getattr(torch, self._dtype))

    def _answers(self, asked: list[tuple[Request, Messages]]) -> list[Reply]:
        inputs = self.encoded([messages for _, messages in asked])
        requests = [request for request, _ in asked]
        chances = Chances(self._sides)
        written = self.network.generate(
            **inputs,
            generation_config=self._how(requests[0].max_tokens),
            logits_processor=transformers.LogitsProcessorList([chances, Draws(requests, self._device)]),
        )
        before = inputs["input_ids"].shape[1]
        counts = inputs["attention_mask"].sum(dim=1).tolist()
        said = zip(requests, written[:, before:], counts, chances.first, strict=True)
        return [
            self._reply(row.tolist(), count, chance if request.yes_or_no else None)
            for request, row, count, chance in said
        ]

    def _reply(self, tokens: list[int], input_tokens: int, chance: float | None) -> Reply:
        """What was written before the first sign of the end; what follows it in a batch is padding."""
        end = next((i for i, token in enumerate(tokens) if token in self._ends), None)
        written = len(tokens) if end is None else end + 1
        self._input_tokens += input_tokens
        self._output_tokens += written
        text = self._tokenizer.decode(tokens[:end], skip_special_tokens=True)
        return Reply(text.strip(), input_tokens, written, chance)

    def _how(self, max_tokens: int) -> Any:
        """The authors' settings of generation, but for what a request states: chance is added by `Draws`."""
        how = copy.deepcopy(self.network.generation_config)
        how.update(do_sample=False, temperature=None, top_p=None, top_k=None, min_p=None, num_beams=1)
        how.update(max_length=None, max_new_tokens=max_tokens, pad_token_id=self._tokenizer.pad_token_id)
        how.update(eos_token_id=sorted(self._ends))
        return how


class Chances(transformers.LogitsProcessor):
    """Keeps of each row how likely its first token is yes rather than no; None of a model that has no such tokens."""

    def __init__(self, sides: dict[str, list[int]]) -> None:
        """sides: the tokens of `yes` and of `no`."""
        self._sides = sides
        self.first: list[float | None] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """scores: (B, V) logits, which stay as they are."""
        if not self.first:
            yes, no = (scores[:, self._sides[side]].double().logsumexp(dim=1) for side in (YES, NO))
            told = torch.sigmoid(yes - no).tolist() if all(self._sides.values()) else [math.nan] * len(scores)
            # Nor is it known where both are ruled out, by a processor of the model's own.
            self.first = [None if math.isnan(chance) else chance for chance in told]
        return scores


class Draws(transformers.LogitsProcessor):
    """Noise with which the likeliest token is one drawn at the request's temperature (Gumbel 1954; Maddison, Tarlow and
    Minka 2014): each row's from a generator of its own, whose seed is the request, so that company changes nothing.
    """

    def __init__(self, requests: Sequence[Request], device: str) -> None:
        self._temperatures = [request.temperature for request in requests]
        seeds = [int(digest_of(request)[:15], 16) for request in requests]
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """scores: (B, V) logits."""
        scores = scores.clone()
        for row, temperature, generator in zip(scores, self._temperatures, self._generators, strict=True):
            if temperature > 0:
                drawn = torch.empty_like(row).exponential_(generator=generator)
                # A zero, of which there may be one in many millions, would make its token certain.
                row.div_(temperature).sub_(drawn.clamp_(min=_LEAST_DRAWN).log_())
        return scores


def _size(request: Request, messages: Messages) -> tuple[int, int, int]:
    parts = [part for message in messages for part in message["content"]]
    pixels = sum(part["image"].width * part["image"].height for part in parts if part["type"] == "image")
    return request.max_tokens, pixels, sum(len(part["text"]) for part in parts if part["type"] == "text")


def _ends(*stated: int | list[int] | None) -> set[int]:
    """All tokens that end an answer."""
    return {token for one in stated if one is not None for token in (one if isinstance(one, list) else [one])}


def _release(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
