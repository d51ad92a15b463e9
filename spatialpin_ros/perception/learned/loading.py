# SPDX-License-Identifier: Apache-2.0
"""Loading a model through transformers: device, precision, and errors that say what to do."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.torch_runtime import choose_device, require

# Weights that only training reads, or that are made anew on loading.
_UNUSED = frozenset({"mask_token", "num_batches_tracked", "position_ids", "relative_position_index"})
Precision = Literal["auto", "full", "half"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model, and how it runs.

    Args:
        model: folder with config.json and weights, or a Hugging Face model id.
        device: "auto" (a CUDA GPU, else Apple's, else the CPU) or a torch device such as "cuda:1".
        precision: "auto" is half on CUDA and full elsewhere.
        batch_size: images that go through the network at once.
        offline: never download; the model must be a folder or in the cache.
    """

    model: str
    device: str = "auto"
    precision: Precision = "auto"
    batch_size: int = 4
    offline: bool = False

    def __post_init__(self) -> None:
        if not self.model:
            raise InvalidValueError("learned module: needs 'model', a folder or a Hugging Face model id")
        if self.precision not in ("auto", "full", "half"):
            raise InvalidValueError(
                f"learned module: precision '{self.precision}' is none of auto, full, half"
            )
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise InvalidValueError(
                f"learned module: batch_size must be a whole number of at least 1, got {self.batch_size!r:.40}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A network in evaluation mode on its device."""

    network: Any
    settings: ModelSettings
    device: str
    half: bool

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients; half precision by autocast, which keeps what must be exact in full precision."""
        torch = importlib.import_module("torch")
        kind = self.device.partition(":")[0]
        try:
            with torch.inference_mode(), torch.autocast(kind, dtype=torch.float16, enabled=self.half):
                yield
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"{self.settings.model}: {self.device} is out of memory; lower batch_size "
                f"(now {self.settings.batch_size}) or set device: cpu"
            ) from error

    def run(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        """Forward pass; the tensors of `inputs` are moved to the device."""
        try:
            with self.inference():
                moved = {key: value.to(self.device) for key, value in inputs.items()}
                return self.network(**moved, **options)
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise BackendError(
                f"{self.settings.model}: failed on {self.device}: {_reason(error):.200}"
            ) from error


def load_model(settings: ModelSettings, classes: Mapping[str, str]) -> LoadedModel:
    """Load a network with all of its weights.

    Args:
        settings: which model, and how it runs.
        classes: transformers class for each `model_type` that will do.

    Raises:
        BackendError: when libraries, files or weights are missing, it is a model of another kind, or the device has no
            room for it.
    """
    transformers = require("transformers")
    device = choose_device(settings.device)
    config = _read("config", transformers.AutoConfig, settings, classes)
    if config.model_type not in classes:
        wanted = " or ".join(f"{kind} ({name})" for kind, name in classes.items())
        raise BackendError(f"{settings.model}: is a {config.model_type} model; needed here is {wanted}")
    network, info = _read(
        "weights",
        getattr(transformers, classes[config.model_type]),
        settings,
        classes,
        output_loading_info=True,
    )
    missing = [key for key in info["missing_keys"] if key.rpartition(".")[2] not in _UNUSED]
    lost = sorted(missing) + sorted(str(item[0]) for item in info["mismatched_keys"])
    if lost:
        raise BackendError(
            f"{settings.model}: {len(lost)} weights of {type(network).__name__} are missing in its files "
            f"({', '.join(lost[:3])}, ...) and would be random; is it a checkpoint of this class? {_get(settings)}"
        )
    half = settings.precision == "half" or (settings.precision == "auto" and device.startswith("cuda"))
    if half and not device.startswith("cuda"):
        raise BackendError(
            f"{settings.model}: half precision needs a CUDA GPU, the device is {device}; set precision: auto"
        )
    try:
        network = network.to(device).eval()
    except RuntimeError as error:
        raise BackendError(
            f"{settings.model}: cannot be put on {device}: {_reason(error):.200}; free it or set device: cpu"
        ) from error
    return LoadedModel(network, settings, device, half)


def check_folder(settings: ModelSettings) -> None:
    """Refuse a folder that is not there, before libraries are imported that take seconds.

    Raises:
        BackendError: says how to get it.
    """
    if _is_path(settings.model) and not Path(settings.model).expanduser().is_dir():
        raise BackendError(f"{settings.model}: there is no such folder {_get(settings)}")


def read_kind(settings: ModelSettings, classes: Mapping[str, str]) -> str:
    """The model_type of a model; `classes` are those that would do, for the error. Raises as `load_model`."""
    return str(_read("config", require("transformers").AutoConfig, settings, classes).model_type)


def load_part(kind: str, settings: ModelSettings) -> Any:
    """Load the AutoImageProcessor, AutoProcessor or AutoTokenizer of a model; raises as `load_model`."""
    return _read(kind, getattr(require("transformers"), kind), settings, {})


def _read(
    what: str, factory: Any, settings: ModelSettings, classes: Mapping[str, str], **options: Any
) -> Any:
    safetensors, hub_errors = require("safetensors"), require("huggingface_hub.errors")
    # A model in the cache needs no network, and a network that is away costs half a minute of retries.
    attempts = (True, settings.offline) if _is_cached(settings.model) else (settings.offline,)
    for only_local in dict.fromkeys(attempts):
        try:
            return factory.from_pretrained(settings.model, local_files_only=only_local, **options)
        except (
            OSError,
            ValueError,
            RuntimeError,
            ImportError,
            KeyError,
            TypeError,
            safetensors.SafetensorError,
            hub_errors.StrictDataclassError,
        ) as error:
            failure: Exception = error
    expected = f" of {' or '.join(classes.values())}" if classes else ""
    raise BackendError(
        f"{settings.model}: cannot load the {what}{expected}: {_reason(failure):.200} {_get(settings)}"
    ) from failure


def _reason(error: Exception) -> str:
    """The first line of an error's message, or its kind."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _is_cached(model: str) -> bool:
    """Whether the hub's cache knows a model; it may still lack files."""
    hub = require("huggingface_hub")
    return not _is_path(model) and isinstance(hub.try_to_load_from_cache(model, "config.json"), str)


def _get(settings: ModelSettings) -> str:
    path = Path(settings.model).expanduser()
    if _is_path(settings.model):
        return (
            f"[{path} must hold config.json, *.safetensors and the processor's files: "
            f"hf download <model id> --local-dir {path}]"
        )
    return f"[get it with: hf download {settings.model}]"


def _is_path(model: str) -> bool:
    """Whether it names a folder and no model of the hub."""
    path = Path(model).expanduser()
    return path.is_absolute() or path.exists() or model.count("/") != 1
