# SPDX-License-Identifier: Apache-2.0
"""Tiny vision-language models built from configurations and saved as downloads are; needs torch and transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "bos_token_id": None,
}
VISION = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


def byte_tokenizer(special: Sequence[str], image: str) -> Any:
    """One token per byte, and the special ones; its chat template writes `image` for a picture."""
    symbols = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *special]
    plain = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(symbols)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    plain.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        additional_special_tokens=list(special),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE.replace("IMAGE", image),
    )


def ends(tokenizer: Any) -> dict[str, int]:
    return {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}


def save_qwen(folder: Path) -> None:
    """Qwen2.5-VL; its vocabulary is larger than its tokenizer's, as in the released ones."""
    special = (*TURNS, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = byte_tokenizer(special, "<|vision_start|><|image_pad|><|vision_end|>")
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(list(special)), strict=True))
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    config = transformers.Qwen2_5_VLConfig(
        text_config={**TEXT, **ends(tokenizer), "vocab_size": len(tokenizer) + 5, "rope_parameters": rope},
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    transformers.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    transformers.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Qwen2_5_VLProcessor"}))


def save_smolvlm(folder: Path) -> None:
    """SmolVLM, which cuts images into tiles."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    marks = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    tokenizer = byte_tokenizer((*TURNS, *marks, *tiles), "<image>")
    config = transformers.SmolVLMConfig(
        text_config={**TEXT, **ends(tokenizer), "model_type": "llama", "vocab_size": len(tokenizer)},
        vision_config={**VISION, "num_hidden_layers": 1, "patch_size": 16, "image_size": 64},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    transformers.SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    transformers.SmolVLMImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "processor_config.json").write_text(
        json.dumps({"processor_class": "SmolVLMProcessor", "image_seq_len": 4})
    )


def save_llava(folder: Path, says: Sequence[str] = ()) -> None:
    """LLaVA with random weights or, given `says`, with weights that make it reply with these tokens one by one."""
    pieces = [f"<|piece_{i}|>" for i in range(len(says))]
    tokenizer = byte_tokenizer((*TURNS, "<image>", *pieces), "<image>\n")
    config = transformers.LlavaConfig(
        text_config={
            **TEXT,
            **ends(tokenizer),
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
        },
        vision_config={
            **VISION,
            "model_type": "clip_vision_model",
            "num_hidden_layers": 2,
            "patch_size": 16,
            "image_size": 64,
            "projection_dim": 16,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_select_strategy="default",
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=16,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=tokenizer.chat_template,
    ).save_pretrained(folder)


FAMILIES = {"qwen": save_qwen, "smolvlm": save_smolvlm, "llava": save_llava}


def save(family: str, folder: Path) -> str:
    """Save the model of a family with seeded weights; returns the folder as text."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        FAMILIES[family](folder)
    return str(folder)
