"""Folders of image-text-to-text models -> networks and processors of transformers, without their own code.

transformers makes processors whole or not at all, and those for videos want torchvision. What is made here has none for
videos and takes pictures by Pillow, with torchvision or without, so that both see the same pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers

from geoloc_cli.errors import GeolocError, MissingExtra, WeightsMismatch
from geoloc_cli.models.folders import ModelFolder
from geoloc_cli.priors.vlm_localizable import NO, YES, side

_OFFLINE = {"local_files_only": True, "trust_remote_code": False}
# Where a checkpoint names the class of its processor, the newest habit first.
_NAMES_PROCESSOR = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")

# Of what a library says, as much as a sentence of ours can hold.
_LONGEST = 240


def load(folder: ModelFolder, dtype: str, owner: str) -> tuple[Any, Any]:
    """A network for inference on the CPU, and its processor for pictures and text; owner: who needs it, for messages.

    Raises WeightsMismatch where it does not answer about pictures or cannot be loaded whole, and MissingExtra where it
    needs a further library.
    """
    with quietly(), _understood(folder, owner):
        config = _config(folder, owner)
        processor = _processor(folder, config)
        network, found = transformers.AutoModelForImageTextToText.from_pretrained(
            folder.path,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **_OFFLINE,
        )
    # What is lacking or of another shape, transformers has made up.
    lacking = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if lacking:
        raise WeightsMismatch(
            f"{owner}: {folder.path} lacks {len(lacking)} tensors of its model, or has them of another shape, such as "
            f"{lacking[0]}; get it anew."
        )
    return network.eval().requires_grad_(False), processor


def _config(folder: ModelFolder, owner: str) -> Any:
    kind = str(folder.read("config.json").get("model_type"))
    model = f"{owner}: {folder.path} is a model of the kind '{kind}', which"
    if kind not in transformers.CONFIG_MAPPING:
        raise WeightsMismatch(
            f"{model} transformers {transformers.__version__} does not know, and code that comes with a model is not "
            "run; give another one."
        )
    config = transformers.AutoConfig.from_pretrained(folder.path, **_OFFLINE)
    if type(config) not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise WeightsMismatch(f"{model} does not answer about pictures; give an image-text-to-text model.")
    return config


class _NoVideos:
    """Some processors ask the one for videos what it would do, whatever they are given: nothing."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def _processor(folder: ModelFolder, config: Any) -> Any:
    """The model's processor for pictures and text, without the one for videos."""
    named = [str(folder.read(name).get("processor_class")) for name in _NAMES_PROCESSOR]
    kinds = [getattr(transformers, name, None) for name in named if name.endswith("Processor")]
    kind: Any = next((kind for kind in kinds if kind), None) or transformers.PROCESSOR_MAPPING[type(config)]

    class Still(kind):
        """Its parts are loaded by their names (`get_attributes`) and put together by `from_args_and_dict`."""

        video_processor = _NoVideos()

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in kind.get_attributes() if name != "video_processor"]

        @classmethod
        def from_args_and_dict(cls, args: Any, stated: dict[str, Any], **given: Any) -> Any:
            lacking = {"video_processor": None} if "video_processor" in kind.get_attributes() else {}
            return super().from_args_and_dict(args, {**stated, **lacking}, **given)

    # All parts are told the backend, and it means something to the one for pictures alone.
    made = Still.from_pretrained(folder.path, backend="pil", **_OFFLINE)
    # Older checkpoints keep it with the tokenizer, where this processor does not look.
    made.chat_template = made.chat_template or made.tokenizer.chat_template
    return made


def commands_of(tokenizer: Any) -> re.Pattern[str]:
    """Whatever is more than text to a model: its special tokens, and others in brackets that it was given."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    bracketed = [token for token in added if len(token) > 2 and token[0] + token[-1] in ("<>", "[]")]
    longest_first = sorted({*tokenizer.all_special_tokens, *bracketed}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def sides_of(tokenizer: Any) -> dict[str, list[int]]:
    """The tokens that are the word `yes`, and those that are `no`, in any case and with a space before or not."""
    short = [number for text, number in tokenizer.get_vocab().items() if text.lower().endswith((YES, NO))]
    read = [(side(tokenizer.decode([number])), number) for number in sorted(short)]
    return {word: [number for said, number in read if said == word] for word in (YES, NO)}


def folds_system(processor: Any, folder: ModelFolder, owner: str) -> bool:
    """Whether the chat template takes no turn of the system's. Raises WeightsMismatch where it takes no conversation
    at all, or shows no picture.
    """
    if not processor.chat_template:
        raise WeightsMismatch(
            f"{owner}: {folder.path} has no chat template, and so goes on with a text rather than answers; give the "
            "model of its family that was trained to answer (Instruct, it, Chat)."
        )
    text, picture = {"type": "text", "text": "a"}, {"type": "image", "image": None}
    asked, shown = ({"role": "user", "content": content} for content in ([text], [text, picture]))
    system = {"role": "system", "content": [text]}
    for before in ([system], []):
        try:
            without, with_picture = (processor.apply_chat_template([*before, user]) for user in (asked, shown))
        except Exception:  # a template is a program of its authors', which refuses by whatever it likes
            continue
        if without != with_picture:
            return not before
    raise WeightsMismatch(f"{owner}: the chat template of {folder.path} takes no picture; give a model whose does.")


@contextmanager
def _understood(folder: ModelFolder, owner: str) -> Iterator[None]:
    """What transformers raises over a folder, in a sentence."""
    try:
        yield
    except GeolocError:
        raise
    except ImportError as error:
        raise MissingExtra(f"{owner}: {folder.path} needs more than is installed: {first_line(error)}.") from error
    except Exception as error:  # a damaged or hostile folder makes the readers raise a dozen types
        raise WeightsMismatch(
            f"{owner}: {folder.path} cannot be loaded as an image-text-to-text model ({first_line(error)}); give the "
            "whole folder of one that this transformers knows."
        ) from error


def first_line(error: Exception) -> str:
    """What a library says, which may go on for pages, in one line or a part of it."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return said.rstrip(".") if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's bars and warnings, which speak of settings that nobody here has made."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
