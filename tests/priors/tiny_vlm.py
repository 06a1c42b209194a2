"""Vision-language models of a few thousand numbers, built on the spot and saved as published ones are."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from geoloc_cli.models.folders import ModelFolder
from geoloc_cli.priors.vlm_ask import AskOptions, Questioner
from geoloc_cli.priors.vlm_local_net import LocalModel
from geoloc_cli.priors.vlm_localizable import question
from geoloc_cli.priors.vlm_pictures import Picture
from geoloc_cli.priors.vlm_prompts import STRATEGIES, SYSTEM
from geoloc_cli.priors.vlm_talk import Request
from geoloc_cli.types import Photo

END, PAD = "<|im_end|>", "<|endoftext|>"
# What the families mark pictures by.
_SPECIALS = {
    "qwen2_5_vl": ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    "llava": ("<image>",),
    "idefics3": ("<image>", "<fake_token_around_image>", "<global-img>"),
}
_IMAGE = {"qwen2_5_vl": "<|vision_start|><|image_pad|><|vision_end|>", "llava": "<image>\n", "idefics3": "<image>"}
_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 2048,
    "bos_token_id": None,
    # Ten times the usual, so that what is seen decides what is said.
    "initializer_range": 0.2,
}


def template(family: str) -> str:
    """Jinja, as checkpoints bring it: `<|im_end|>` after every turn."""
    part = f"{{% if c['type'] == 'image' %}}{_IMAGE[family]}{{% else %}}{{{{ c['text'] }}}}{{% endif %}}"
    turn = f"{{{{ m['role'] }}}}: {{% for c in m['content'] %}}{part}{{% endfor %}}{END}\n"
    return f"{{% for m in messages %}}{turn}{{% endfor %}}{{% if add_generation_prompt %}}assistant: {{% endif %}}"


@cache
def _learned() -> str:
    """Pieces of words from the prompts, so that a prompt takes some 200 of them; any byte can be written."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([SYSTEM, *(w for s in STRATEGIES.values() for w in s.wordings)], trainer)
    return made.to_str()


def tokenizer(family: str, answers: tuple[str, ...] = ()) -> Any:
    """answers: texts that are one token each, so that a model learns to give them whole in a second."""
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_learned()),
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(_SPECIALS[family]),
        padding_side="right",
    )
    made.add_tokens([AddedToken(answer, special=False, normalized=False) for answer in answers])
    return made


def build(family: str, words: Any) -> Any:
    """The network, random from a seed; words: its tokenizer."""
    number = words.convert_tokens_to_ids
    text = _TEXT | {"vocab_size": len(words), "eos_token_id": number(END), "pad_token_id": number(PAD)}
    torch.manual_seed(0)
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vision |= {"image_size": 56, "patch_size": 14}
    llama = {"text_config": transformers.LlamaConfig(**text), "image_token_id": number(_SPECIALS[family][0])}
    if family == "llava":
        config = transformers.LlavaConfig(**llama, vision_config=transformers.CLIPVisionConfig(**vision))
        return transformers.LlavaForConditionalGeneration(config).eval()
    if family == "idefics3":
        config = transformers.Idefics3Config(**llama, vision_config=vision, pad_token_id=number(PAD))
        return transformers.Idefics3ForConditionalGeneration(config).eval()
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    vision = {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
    start, end, image, video = (number(name) for name in _SPECIALS[family])
    config = transformers.Qwen2_5_VLConfig(
        text_config=text | {"rope_parameters": rope},
        vision_config=vision | {"fullatt_block_indexes": [1]},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()


def save(folder: Path, family: str, words: Any, network: Any) -> Path:
    """A folder as `save_pretrained` writes it, with what processors are made of."""
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    if family == "llava":
        size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
        pictures: dict[str, Any] = size | {"image_processor_type": "CLIPImageProcessor"}
        whole: dict[str, Any] = {"processor_class": "LlavaProcessor", "patch_size": 14}
        whole["vision_feature_select_strategy"] = "default"
        whole["num_additional_image_tokens"] = 1
    elif family == "idefics3":
        pictures = {"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}}
        pictures["image_processor_type"] = "Idefics3ImageProcessor"
        whole = {"processor_class": "Idefics3Processor", "image_seq_len": 4}
    else:
        pictures = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 28 * 28, "max_pixels": 28 * 28 * 16}
        whole = {"processor_class": "Qwen2_5_VLProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    (folder / "processor_config.json").write_text(json.dumps(whole))
    (folder / "chat_template.jinja").write_text(template(family))
    return folder


RED, BLUE = (200, 40, 40), (40, 40, 200)


def flat(path: Path, colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Photo:
    """A picture of one colour."""
    Image.new("RGB", (width, height), colour).save(path)
    return Photo(str(path), width, height)


def noise(path: Path, seed: int, width: int, height: int) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return Photo(str(path), width, height)


def request(photo: Photo, sample: int = 0, temperature: float = 0.0, max_tokens: int = 24) -> Request:
    """What the prior asks first of a photo."""
    options = AskOptions(samples=sample + 1, temperature=temperature, max_tokens=max_tokens, max_px=112)
    return replace(next(Questioner("test", options, None).about(photo)), sample=sample, temperature=temperature)


def teach(folder: Path, family: str, lessons: dict[Photo, str], localizable: dict[Photo, str] | None = None) -> Path:
    """A model that was taught what to answer about pictures like these, in 60 steps of Adam.

    localizable: what it answers where it is asked if they can be located.
    """
    taught = [(request(photo), text) for photo, text in lessons.items()]
    taught += [(question(Picture(photo.path, 112).shown()), text) for photo, text in (localizable or {}).items()]
    words = tokenizer(family, tuple(dict.fromkeys(text for _, text in taught)))
    save(folder, family, words, build(family, words))
    model = LocalModel(ModelFolder(folder), "cpu", "float32", len(taught), "test")
    asked = model.encoded([model.messages(one) for one, _ in taught])
    answers = torch.tensor([[*words.encode(text), words.eos_token_id] for _, text in taught])
    asked["input_ids"] = torch.cat((asked["input_ids"], answers), dim=1)
    for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        if name in asked:
            asked[name] = torch.cat((asked[name], torch.full_like(answers, value)), dim=1)
    network = model.network.requires_grad_(True)
    adam = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        logits = network(**asked, logits_to_keep=3).logits[:, :2]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        adam.zero_grad()
        loss.backward()
        adam.step()
    return save(folder, family, words, network)
