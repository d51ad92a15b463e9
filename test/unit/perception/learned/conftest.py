# SPDX-License-Identifier: Apache-2.0
"""Tiny models with random weights, built from configurations and saved as a download would be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import torch
    import transformers
except ImportError as error:
    torch, transformers, missing = None, None, str(error)
else:
    missing = ""

CLIP_VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "patch_size": 16,
}
CLIP_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
}
HEADS = {"hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
IOU_HEAD = {"iou_head_hidden_dim": 16, "iou_head_depth": 2}


def byte_symbols() -> list[str]:
    """The 256 printable characters that byte-level tokenizers write bytes as."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def clip_tokenizer() -> Any:
    symbols = byte_symbols()
    words = [*symbols, *(f"{s}</w>" for s in symbols), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])


def bert_tokenizer() -> Any:
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "red", "blue", "cube", "ball", *letters]
    return transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})


def save_clip(folder: Path) -> None:
    tokenizer = clip_tokenizer()
    ids = {
        "bos_token_id": len(tokenizer) - 2,
        "eos_token_id": len(tokenizer) - 1,
        "pad_token_id": len(tokenizer) - 1,
    }
    config = transformers.CLIPConfig(
        text_config={**CLIP_TEXT, **ids, "vocab_size": len(tokenizer)},
        vision_config={**CLIP_VISION, "image_size": 32},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    transformers.CLIPProcessor(images, tokenizer).save_pretrained(folder)


def save_siglip(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<pad>", "</s>", "<unk>", *byte_symbols()]
    plain = Tokenizer(
        models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[], unk_token="<unk>")
    )
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    ids = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    config = transformers.SiglipConfig(
        text_config={**CLIP_TEXT, **ids, "vocab_size": len(words)},
        vision_config={**CLIP_VISION, "image_size": 32},
    )
    transformers.SiglipModel(config).save_pretrained(folder)
    transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_owlv2(folder: Path) -> None:
    tokenizer = clip_tokenizer()
    ids = {"bos_token_id": len(tokenizer) - 2, "eos_token_id": len(tokenizer) - 1, "pad_token_id": 0}
    config = transformers.Owlv2Config(
        text_config={**CLIP_TEXT, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 16},
        vision_config={**CLIP_VISION, "image_size": 64},
        projection_dim=32,
    )
    model = transformers.Owlv2ForObjectDetection(config)
    with torch.no_grad():  # boxes then stand on the grid of patches instead of anywhere
        model.box_head.dense2.weight.zero_()
        model.box_head.dense2.bias.zero_()
    model.save_pretrained(folder)
    images = transformers.Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    transformers.Owlv2Processor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


def save_grounding_dino(folder: Path) -> None:
    tokenizer = bert_tokenizer()
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            image_size=64,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 1, 1],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config={
            "model_type": "bert",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 64,
        },
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=10,
        max_text_len=32,
    )
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = transformers.GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


def save_sam(folder: Path, *, high_quality: bool = False) -> None:
    vision = {
        "hidden_size": 16,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
        "mlp_dim": 16,
        "window_size": 2,
        "global_attn_indexes": [0, 1] if high_quality else [1],
        "num_pos_feats": 8,
    }
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    decoder = {**HEADS, **IOU_HEAD, **({"vit_dim": 16} if high_quality else {})}
    kind = "SamHQ" if high_quality else "Sam"
    config = getattr(transformers, f"{kind}Config")(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    images = transformers.SamImageProcessorPil(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    getattr(transformers, f"{kind}Processor")(images).save_pretrained(folder)


def save_sam_hq(folder: Path) -> None:
    save_sam(folder, high_quality=True)


def save_sam2(folder: Path) -> None:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
        "image_size": [64, 64],
        "window_positional_embedding_background_size": [4, 4],
    }
    config = transformers.Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 16,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 16},
        mask_decoder_config={**HEADS, **IOU_HEAD},
    )
    transformers.Sam2Model(config).save_pretrained(folder)


def save_depth_anything(folder: Path, *, kind: str = "metric") -> None:
    config = transformers.DepthAnythingConfig(
        backbone_config=transformers.Dinov2Config(
            image_size=56,
            patch_size=14,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            mlp_ratio=1,
            out_features=["stage1", "stage2", "stage3", "stage4"],
            reshape_hidden_states=False,
            apply_layernorm=True,
        ),
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20,
        patch_size=14,
    )
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    transformers.DPTImageProcessorPil(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)


def save_relative_depth(folder: Path) -> None:
    save_depth_anything(folder, kind="relative")


def save_zoedepth(folder: Path) -> None:
    config = transformers.ZoeDepthConfig(
        backbone_config=transformers.BeitConfig(
            image_size=64,
            patch_size=16,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=16,
            out_features=["stage1", "stage2", "stage3", "stage4"],
            reshape_hidden_states=False,
            use_relative_position_bias=True,
            add_fpn=False,
        ),
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        num_relative_features=8,
        bin_embedding_dim=8,
        num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )
    transformers.ZoeDepthForDepthEstimation(config).save_pretrained(folder)
    transformers.ZoeDepthImageProcessorPil(
        size={"height": 64, "width": 64}, ensure_multiple_of=32, keep_aspect_ratio=True
    ).save_pretrained(folder)


def save_depth_pro(folder: Path, fov_deg: float = 60.0) -> None:
    def encoder() -> Any:
        return transformers.Dinov2Config(
            image_size=32,
            patch_size=8,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            mlp_ratio=1,
            use_mask_token=False,
            apply_layernorm=True,
        )

    config = transformers.DepthProConfig(
        fusion_hidden_size=8,
        patch_size=32,
        intermediate_hook_ids=[3, 1],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.25, 0.5, 1],
        scaled_images_overlap_ratios=[0.0, 0.5, 0.25],
        scaled_images_feature_dims=[16, 8, 8],
        image_model_config=encoder(),
        patch_model_config=encoder(),
        fov_model_config=encoder(),
        use_fov_model=True,
        num_fov_head_layers=2,
    )
    model = transformers.DepthProForDepthEstimation(config)
    last = [module for module in model.fov_model.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(fov_deg)
    model.save_pretrained(folder)


SAVERS = {
    name.removeprefix("save_"): value for name, value in list(globals().items()) if name.startswith("save_")
}


@pytest.fixture(scope="session")
def networks() -> None:
    """Skip what needs PyTorch where scripts/setup --test could not get it."""
    if missing:
        pytest.skip(f"PyTorch or transformers cannot be imported: {missing}")


@pytest.fixture(scope="session")
def tiny_model(networks: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Make `tiny_model(kind)`: the folder of a saved tiny model."""
    folders: dict[str, str] = {}

    def get(kind: str) -> str:
        if kind not in folders:
            torch.manual_seed(0)
            folder = tmp_path_factory.mktemp(kind)
            SAVERS[kind](folder)
            folders[kind] = str(folder)
        return folders[kind]

    return get


@pytest.fixture
def images() -> list[np.ndarray]:
    """Three pictures, two of one size."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), dtype=np.uint8) for size in ((96, 128), (96, 128), (72, 60))]
