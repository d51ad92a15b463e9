# SPDX-License-Identifier: Apache-2.0
"""What goes wrong when models are loaded, and what the message says to do."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.perception.learned import create_module, module_names
from spatialpin_ros.torch_runtime import choose_device, require

pytestmark = pytest.mark.usefixtures("networks")


@pytest.fixture
def copy(tiny_model, tmp_path):
    """Make `copy(kind)`: a folder of a tiny model that a test may damage."""

    def make(kind: str) -> Path:
        return Path(shutil.copytree(tiny_model(kind), tmp_path / kind))

    return make


def test_unknown_names_list_what_there_is():
    with pytest.raises(BackendError, match=r"no detector called 'yolo'; there is: grounding_dino, owlv2"):
        create_module("detector", "yolo", model="x")
    with pytest.raises(BackendError, match="no role 'painter'"):
        create_module("painter", "x", model="x")
    assert module_names("depth") == ("depth_anything", "depth_pro", "zoedepth")


def test_unknown_and_bad_settings_are_named(tiny_model):
    with pytest.raises(BackendError, match="thresh"):
        create_module("detector", "owlv2", model=tiny_model("owlv2"), thresh=0.2)
    with pytest.raises(BackendError, match="model"):
        create_module("detector", "owlv2")
    with pytest.raises(InvalidValueError, match="precision 'quarter'"):
        create_module("depth", "zoedepth", model="x", precision="quarter")
    with pytest.raises(InvalidValueError, match="batch_size"):
        create_module("depth", "zoedepth", model="x", batch_size=0)


def test_a_missing_folder_says_how_to_get_it(tmp_path):
    with pytest.raises(BackendError, match="hf download <model id> --local-dir"):
        create_module("segmenter", "sam", model=str(tmp_path / "nowhere"))


def test_a_model_that_is_not_downloaded_says_how_to_get_it():
    with pytest.raises(BackendError, match="hf download some-org/some-model"):
        create_module("segmenter", "sam", model="some-org/some-model", offline=True)


@pytest.mark.parametrize(
    ("role", "name"),
    [("detector", "grounding_dino"), ("segmenter", "sam2"), ("depth", "depth_pro"), ("depth", "zoedepth")],
)
def test_a_model_of_another_kind_is_refused_by_name(tiny_model, role, name):
    with pytest.raises(
        BackendError, match=r"is a clip model; needed here is .*\(.*(Detection|Model|Estimation)\)"
    ):
        create_module(role, name, model=tiny_model("clip"))


def test_missing_weights_are_refused(copy):
    folder = copy("depth_anything")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackendError, match=r"cannot load the weights of DepthAnythingForDepthEstimation"):
        create_module("depth", "depth_anything", model=str(folder))


def test_half_a_weight_file_is_refused(copy):
    folder = copy("depth_anything")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(BackendError, match="cannot load the weights"):
        create_module("depth", "depth_anything", model=str(folder))


def test_weights_of_another_network_are_not_taken_for_random_ones(copy, tiny_model):
    folder = copy("depth_anything")
    shutil.copy(Path(tiny_model("clip")) / "model.safetensors", folder)
    with pytest.raises(BackendError, match=r"weights of DepthAnythingForDepthEstimation are missing.*random"):
        create_module("depth", "depth_anything", model=str(folder))


def test_a_folder_without_processor_is_refused(copy):
    folder = copy("depth_anything")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(BackendError, match="cannot load the AutoImageProcessor"):
        create_module("depth", "depth_anything", model=str(folder))


@pytest.mark.parametrize("text", ['{"hello": 1}', "{", '{"model_type": "clip", "projection_dim": "many"}'])
def test_a_config_that_is_no_model_is_refused(copy, text):
    folder = copy("clip")
    (folder / "config.json").write_text(text)
    with pytest.raises(BackendError, match="cannot load the config"):
        create_module("namer", "clip", model=str(folder))


def test_without_transformers_the_command_to_install_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        BackendError, match=r"need transformers; install with: pip install 'spatialpin_ros\[learned\]'"
    ):
        create_module("namer", "clip", model="a/b")


def test_a_torchvision_that_does_not_fit_is_named(monkeypatch, tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(BackendError, match=r"nms does not exist.*pip uninstall torchvision"):
        require("torch")


def test_devices_that_are_not_there_are_refused(tiny_model):
    import torch

    if torch.cuda.is_available():
        assert choose_device("auto") == "cuda"
        return
    with pytest.raises(BackendError, match="device 'cuda:3' is not there"):
        choose_device("cuda:3")
    with pytest.raises(BackendError, match="half precision needs a CUDA GPU"):
        create_module(
            "depth", "depth_anything", model=tiny_model("depth_anything"), precision="half", device="cpu"
        )
    assert choose_device("cpu") == "cpu"


def test_a_weight_that_only_training_reads_may_be_missing(copy):
    from safetensors.torch import load_file, save_file

    folder = copy("depth_anything")
    weights = load_file(folder / "model.safetensors")
    del weights["backbone.embeddings.mask_token"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert create_module("depth", "depth_anything", model=str(folder)).name == "depth_anything"
    del weights["head.conv3.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match=r"1 weights .*head.conv3.bias"):
        create_module("depth", "depth_anything", model=str(folder))


def test_a_network_that_does_not_fit_on_the_device_says_what_to_do(tiny_model, monkeypatch):
    import torch

    def full(self, *_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(BackendError, match=r"cannot be put on cpu: CUDA out of memory.*device: cpu"):
        create_module("namer", "clip", model=tiny_model("clip"), device="cpu")


def test_images_that_do_not_fit_on_the_device_say_what_to_do(tiny_model, images, monkeypatch):
    import torch

    namer = create_module("namer", "clip", model=tiny_model("clip"), device="cpu")

    def full(self, *_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(BackendError, match=r"cpu is out of memory; lower batch_size \(now 4\)"):
        namer.score(images, ["mug"])
