# SPDX-License-Identifier: Apache-2.0
"""What is said when a local model cannot be loaded."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
import tiny_vlms
import torch
import transformers
from safetensors.torch import load_file, save_file

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.reasoning import create_backend
from spatialpin_ros.reasoning.backends import transformers_loading


def refusal(model, **settings):
    with pytest.raises(BackendError) as caught:
        create_backend("transformers", model=str(model), **settings)
    return str(caught.value)


def test_a_folder_that_is_not_there_names_the_command(tmp_path):
    said = refusal(tmp_path / "nothing")
    assert "there is no such folder" in said
    assert f"hf download <model id> --local-dir {tmp_path / 'nothing'}" in said


@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_without_torchvision_the_video_half_of_a_processor_is_left_out(load, family, monkeypatch):
    monkeypatch.setattr(transformers_loading, "_has", lambda module: False)
    processor = load(family)._vlm.processor
    assert not hasattr(processor, "video_processor")
    assert processor.image_processor is not None


def test_an_empty_folder_is_named(tmp_path):
    assert "must hold config.json, *.safetensors" in refusal(tmp_path)


def test_a_hub_id_that_is_not_in_the_cache_names_the_download():
    assert "[get it with: hf download nobody/no-such-model]" in refusal("nobody/no-such-model", offline=True)


def test_a_model_that_reads_no_images_is_refused(tmp_path):
    config = transformers.LlamaConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        vocab_size=32,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    said = refusal(tmp_path)
    assert "is a llama model, which does not read images" in said
    assert "Qwen2.5-VL" in said


def test_weights_that_are_missing_are_counted(copy):
    spoilt = copy("llava")
    weights = load_file(spoilt / "model.safetensors")
    del weights[next(name for name in weights if "lm_head" in name)]
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    said = refusal(spoilt)
    assert "1 weights of LlavaForConditionalGeneration are missing" in said
    assert "lm_head.weight" in said


def test_a_weight_file_that_is_cut_short_is_named(copy):
    spoilt = copy("qwen")
    weights = spoilt / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "cannot load the weights" in refusal(spoilt)


def test_a_model_without_a_chat_template_is_refused(copy):
    spoilt = copy("llava")
    (spoilt / "chat_template.jinja").unlink()
    assert "has no chat template" in refusal(spoilt)


@pytest.mark.parametrize("family", ["qwen", "llava"])
def test_a_model_without_its_tokenizer_is_refused(copy, family):
    spoilt = copy(family)
    (spoilt / "tokenizer.json").unlink()
    assert "cannot load the processor" in refusal(spoilt)


def test_a_config_of_nothing_is_refused(copy):
    spoilt = copy("llava")
    (spoilt / "config.json").write_text(json.dumps({"hello": 1}))
    assert "cannot load the config" in refusal(spoilt)


def test_too_little_memory_says_what_to_do(folder, monkeypatch):
    def full(self, *_args, **_settings):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.LlavaForConditionalGeneration, "to", full)
    said = refusal(folder("llava"))
    assert "cpu is out of memory" in said
    assert "the openai back end" in said


@pytest.mark.parametrize(
    ("device", "precision", "has_bfloat16", "expected"),
    [
        ("cpu", "auto", False, torch.float32),
        ("cpu", "half", False, torch.bfloat16),
        ("cuda:1", "auto", True, torch.bfloat16),
        ("cuda", "auto", False, torch.float16),
        ("cuda", "full", True, torch.float32),
        ("mps", "half", False, torch.float16),
    ],
)
def test_the_precision_fits_the_device(monkeypatch, device, precision, has_bfloat16, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)
    assert transformers_loading._dtype(device, precision) == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU")
def test_a_gpu_that_is_not_there_is_named(folder):
    assert "device 'cuda' is not there" in refusal(folder("llava"), device="cuda")


def test_a_missing_library_names_the_command(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "llguidance" else real(name, *rest),
    )
    said = refusal("x")
    assert "needs llguidance" in said
    assert "pip install 'spatialpin_ros[local]'" in said


@pytest.mark.parametrize(
    "settings",
    [{"model": ""}, {"precision": "double"}, {"temperature": -1.0}, {"timeout_s": 0.0}, {"max_tokens": 0},
     {"max_chars": 0}, {"max_items": 0}],
)  # fmt: skip
def test_bad_settings_are_refused(settings):
    with pytest.raises(InvalidValueError, match="transformers back end"):
        create_backend("transformers", **{"model": "x", **settings})


def test_an_unknown_setting_is_refused():
    assert "api_key" in refusal("x", api_key="y")


def test_importing_the_stage_does_not_import_networks():
    code = (
        "import sys, spatialpin_ros.reasoning as r; r.backend_names(); "
        "print([m for m in ('torch', 'transformers', 'llguidance', 'httpx') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"
