"""Words in place of a picture, for GeoCLIP: CLIP's text tower and its tokenizer, from files of this machine.

GeoCLIP's authors place texts so (Vivanco, Nayak and Shah 2023): pictures and texts are neighbours in CLIP's common
space, and a text's feature goes through the head that was trained on pictures'. They show examples and give no figures,
and the package `geoclip` has no code for it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.device import full_precision
from geoloc_cli.errors import UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.models.catalogue import find
from geoloc_cli.models.places import located
from geoloc_cli.models.weights import Weights, fit, imported

_CATALOGUED = "clip-tokenizer"
_WHOLE, _VOCABULARY, _MERGES = "tokenizer.json", "vocab.json", "merges.txt"
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_TOWER = ("text_model.", "text_projection.")
_POSITIONS = "text_model.embeddings.position_ids"  # what older files hold beside the weights


class Words:
    """Texts -> unit rows (512,), comparable with those of places and of pictures."""

    def __init__(self, weights: Weights, head: dict[str, Any], tokenizer: str, heads: int, device: str) -> None:
        """weights: of a whole CLIP; head: of the package, as `mlp....`; tokenizer: a file or folder, or empty; heads:
        of attention, 0 for one to each 64 channels, as every published CLIP has.

        Raises MissingExtra, WeightsMissing without a tokenizer, and WeightsMismatch where the files do not go together.
        """
        self._owner = "prior 'geoclip'"
        state = {name: value for name, value in weights.state.items() if name.startswith(_TOWER) and name != _POSITIONS}
        if not state:
            raise WeightsMismatch(f"{self._owner}: {weights.path} holds no text tower; give the file of a whole CLIP.")
        path, self._tokenizer = _tokenizer(tokenizer, weights.path.parent, self._owner)
        begin, end = (self._tokenizer.token_to_id(token) for token in (_BEGIN, _END))
        table = state.get("text_model.embeddings.token_embedding.weight")
        if begin is None or end is None or table is None or end != len(table) - 1:
            raise WeightsMismatch(
                f"{self._owner}: {path} is no tokenizer of {weights.path}; give CLIP's own by `?tokenizer=FOLDER`."
            )
        self._begin, self._end = begin, end
        from geoloc_cli.priors.geoclip_net import TextEncoder

        encoder = TextEncoder(state, heads, end)
        self._longest = encoder.longest
        self._device = device
        self._encoder = fit(encoder, replace(weights, state=state | head), self._owner).to(device)

    def embed(self, text: str) -> NDArray[np.float32]:
        """The row of a text, of which CLIP takes the first 75 tokens. Raises UsageError where there is none."""
        import torch

        ids = self._tokenizer.encode(text, add_special_tokens=False).ids[: self._longest - 2]
        if not ids:
            raise UsageError(f"The text {text!r} has no words; say what the photo shows, as in 'a harbour in Norway'.")
        with torch.inference_mode(), full_precision():
            found = self._encoder(torch.tensor([[self._begin, *ids, self._end]], device=self._device))
        row: NDArray[np.float32] = found[0].cpu().numpy()
        return row


def _tokenizer(given: str, beside: Path, owner: str) -> tuple[Path, Any]:
    """The tokenizer's file and itself: what is given, else beside the weights, else the one that was pulled."""
    imported("transformers", owner)
    found = [Path(given)] if given else [beside]
    if not given:
        place = located(find(_CATALOGUED))
        found += [place.path] if place else []
    for path in found:
        for file in (path / _WHOLE, path / _VOCABULARY) if path.is_dir() else (path,):
            if file.is_file():
                return file, _read(file, owner)
    raise WeightsMissing(
        f"{owner} needs CLIP's tokenizer for words, and there is none at {given or beside}; get it by `geoloc models "
        f"pull {_CATALOGUED}`, or give `?tokenizer=FOLDER` of one with {_WHOLE}, or {_VOCABULARY} and {_MERGES}."
    )


def _read(file: Path, owner: str) -> Any:
    import transformers

    try:
        if file.name != _VOCABULARY:
            return transformers.PreTrainedTokenizerFast(tokenizer_file=str(file)).backend_tokenizer
        lines = file.with_name(_MERGES).read_text(encoding="utf-8").splitlines()
        merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        vocabulary = json.loads(file.read_text(encoding="utf-8"))
        return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges).backend_tokenizer
    except Exception as error:  # the library raises bare exceptions for what it cannot read
        raise WeightsMismatch(f"{owner}: {file} cannot be read as a tokenizer ({error}); give CLIP's own.") from error
