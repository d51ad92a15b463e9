# SPDX-License-Identifier: Apache-2.0
"""Tiny vision-language models built from configurations and saved as downloads are.

Importing it skips the module of tests that does so where the libraries are not installed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

for library in ("torch", "transformers", "llguidance", "num2words"):
    pytest.importorskip(library, reason=f"{library} is not installed: scripts/setup --test could not get it")

import torch  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: E402

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "bos_token_id": None,
}
QWEN_ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
QWEN_VISION = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
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
    tokenizer, ids = qwen_tokenizer()
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            **ends(tokenizer),
            "vocab_size": len(tokenizer) + 5,
            "rope_parameters": QWEN_ROPE,
        },
        vision_config={**QWEN_VISION, "fullatt_block_indexes": [0]},
        **ids,
    )
    transformers.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    save_qwen_processor(folder, tokenizer, "Qwen2_5_VLProcessor", patch_size=14)


def save_qwen3(folder: Path) -> None:
    """Qwen3-VL."""
    tokenizer, ids = qwen_tokenizer()
    config = transformers.Qwen3VLConfig(
        text_config={
            **TEXT,
            **ends(tokenizer),
            "vocab_size": len(tokenizer) + 5,
            "rope_parameters": QWEN_ROPE,
            "head_dim": 16,
        },
        vision_config={**QWEN_VISION, "deepstack_visual_indexes": [0], "num_position_embeddings": 64},
        **ids,
    )
    transformers.Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    save_qwen_processor(folder, tokenizer, "Qwen3VLProcessor", patch_size=16)


def qwen_tokenizer() -> tuple[Any, dict[str, int]]:
    """The tokenizer, and the ids of its marks as configurations name them."""
    marks = {
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
    }
    tokenizer = byte_tokenizer((*TURNS, *marks.values()), "<|vision_start|><|image_pad|><|vision_end|>")
    return tokenizer, {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}


def save_qwen_processor(folder: Path, tokenizer: Any, processor: str, patch_size: int) -> None:
    side = 2 * patch_size
    transformers.Qwen2VLImageProcessorPil(
        min_pixels=side * side, max_pixels=16 * side * side, patch_size=patch_size
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": processor}))


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


def save_llava(folder: Path, says: str = "") -> None:
    """LLaVA with random weights or, given `says`, with weights that make this text its reply to everything.

    Its prompt ends with a line break, which only the text's first piece can follow, and so on: the layers add nothing,
    and the output layer looks up what follows the last token.
    """
    pieces = [says[i : i + 24] for i in range(0, len(says), 24)]
    if len(set(pieces)) < len(pieces):
        raise ValueError("the text repeats a piece of 24 characters, so what follows it is not known")
    tokenizer = byte_tokenizer((*TURNS, "<image>"), "<image>\n")
    tokenizer.add_tokens(pieces)
    config = transformers.LlavaConfig(
        text_config={**TEXT, **ends(tokenizer), "model_type": "llama", "vocab_size": len(tokenizer)},
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
    model = transformers.LlavaForConditionalGeneration(config)
    if pieces:
        line_break = tokenizer.encode("\n", add_special_tokens=False)[0]
        replace_by_chain(
            model, [line_break, *tokenizer.convert_tokens_to_ids(pieces), tokenizer.eos_token_id]
        )
    model.save_pretrained(folder)
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


def replace_by_chain(model: Any, tokens: Sequence[int]) -> None:
    """Set the weights so that each of the tokens is followed by the next one."""
    layer = model.model.language_model.layers[0]
    embeddings, scores = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        embeddings.normal_()
        scores.zero_()
        for before, after in pairwise(tokens):
            scores[after] = 10.0 * torch.nn.functional.normalize(embeddings[before], dim=0)


FAMILIES = {"qwen": save_qwen, "qwen3": save_qwen3, "smolvlm": save_smolvlm, "llava": save_llava}


def save(family: str, folder: Path, **options: Any) -> str:
    """Save the model of a family with seeded weights; returns the folder as text."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        FAMILIES[family](folder, **options)
    return str(folder)
