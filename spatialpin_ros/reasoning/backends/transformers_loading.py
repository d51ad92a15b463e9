# SPDX-License-Identifier: Apache-2.0
"""Loading a vision-language model and its processor through transformers, with errors that say what to do."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from PIL.Image import Image

from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.torch_runtime import choose_device, require

Precision = Literal["auto", "full", "half"]
EXTRA = "local"
_UNLOADABLE = (OSError, ValueError, RuntimeError, ImportError, KeyError, TypeError, AttributeError)
_EXHAUSTED = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True, slots=True)
class LocalModelSettings:
    """Which model, how it runs and how it writes.

    Args:
        model: folder with config.json, weights and the processor's files, or a Hugging Face model id.
        device: "auto" (a CUDA GPU, else Apple's, else the CPU) or a torch device such as "cuda:1".
        precision: "auto" is half (bfloat16 where the device has it) on a GPU and full on the CPU.
        offline: never download; the model must be a folder or in the cache.
        temperature: 0 always takes the likeliest token.
        seed: of the sampling; each reply starts from it, so the same prompt gives the same reply.
        max_tokens: longest reply.
        timeout_s: of one reply; checked between tokens, so reading a long prompt can overrun it.
        max_chars, max_items: longest string and list in a reply, where the schema sets no limit; numbers are then
            within a million.

    Raises:
        InvalidValueError: on a value out of range.
    """

    model: str
    device: str = "auto"
    precision: Precision = "auto"
    offline: bool = False
    temperature: float = 0.2
    seed: int = 0
    max_tokens: int = 2000
    timeout_s: float = 300.0
    max_chars: int = 400
    max_items: int = 24

    def __post_init__(self) -> None:
        if not self.model:
            raise InvalidValueError(
                "transformers back end: 'model' must be a folder or a Hugging Face model id"
            )
        if self.precision not in get_args(Precision):
            raise InvalidValueError(
                f"transformers back end: precision '{self.precision}' is none of {', '.join(get_args(Precision))}"
            )
        if self.temperature < 0.0 or self.timeout_s <= 0.0:
            raise InvalidValueError(
                "transformers back end: temperature must be >= 0 and timeout_s positive, "
                f"got {self.temperature} and {self.timeout_s}"
            )
        if min(self.max_tokens, self.max_chars, self.max_items) < 1:
            raise InvalidValueError(
                "transformers back end: max_tokens, max_chars and max_items must be at least 1"
            )


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVlm:
    """A network in evaluation mode on its device, and what turns text and images into its input."""

    network: Any
    processor: Any
    template: str
    device: str

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    @property
    def context_tokens(self) -> int | None:
        """Longest prompt and reply together; None where the model does not say."""
        return getattr(self.network.config.get_text_config(), "max_position_embeddings", None)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end a reply: those of the checkpoint's generation settings and the tokenizer's."""
        configured = self.network.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return tuple(dict.fromkeys(i for i in (*listed, self.tokenizer.eos_token_id) if i is not None))

    def encode(self, chat: Sequence[Mapping[str, Any]], images: Sequence[Image]) -> Any:
        """Turn a conversation in the form of chat templates into tensors on the device.

        Raises:
            jinja2.TemplateError: the template refuses the roles.
            ValueError: the processor cannot bring text and images together.
        """
        text = self.tokenizer.apply_chat_template(
            list(chat),
            chat_template=self.template,
            add_generation_prompt=True,
            tokenize=False,
            enable_thinking=False,
        )
        start = self.tokenizer.bos_token
        options = {"add_special_tokens": False} if start is not None and text.startswith(start) else {}
        pictures = [list(images)] if images else None
        inputs = self.processor(text=[text], images=pictures, return_tensors="pt", **options)
        return inputs.to(self.device, self.network.dtype)


def load_vlm(settings: LocalModelSettings) -> LoadedVlm:
    """Load all weights of a model that reads images and writes text.

    Raises:
        BackendError: libraries, files or weights are missing, it is another kind of model, or memory is too small.
    """
    transformers = require("transformers", EXTRA)
    device = choose_device(settings.device)
    if _is_path(settings.model) and not Path(settings.model).expanduser().is_dir():
        raise BackendError(f"{settings.model}: there is no such folder {_get(settings)}")
    config = _read("config", transformers.AutoConfig, settings)
    family = transformers.AutoModelForImageTextToText
    if type(config) not in family._model_mapping:
        raise BackendError(
            f"{settings.model}: is a {config.model_type} model, which does not read images and write text; "
            "needed is a vision-language model such as Qwen2.5-VL, Qwen3-VL, LLaVA, SmolVLM or InternVL"
        )
    processor = _processor(settings, config)
    template = processor.chat_template or processor.tokenizer.chat_template
    if not isinstance(template, str):
        raise BackendError(
            f"{settings.model}: has no chat template, so it cannot hold a conversation; take the "
            f"instruction-tuned release, which has chat_template.jinja {_get(settings)}"
        )
    network, info = _read(
        "weights",
        family,
        settings,
        dtype=_dtype(device, settings.precision),
        output_loading_info=True,
    )
    lost = sorted(info["missing_keys"]) + sorted(str(item[0]) for item in info["mismatched_keys"])
    if lost:
        raise BackendError(
            f"{settings.model}: {len(lost)} weights of {type(network).__name__} are missing in its files "
            f"({', '.join(lost[:3])}, ...) and would be random {_get(settings)}"
        )
    with memory_errors(settings, device):
        return LoadedVlm(network.to(device).eval(), processor, template, device)


@contextmanager
def memory_errors(settings: LocalModelSettings, device: str) -> Iterator[None]:
    """Turn every way of running out of memory into a BackendError; other errors pass."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(sign in str(error) for sign in _EXHAUSTED):
            raise
        raise BackendError(
            f"{settings.model}: {device} is out of memory; take a smaller model, set precision: half, or "
            "serve it on another machine and use the openai back end"
        ) from error


def _dtype(device: str, precision: Precision) -> Any:
    torch = require("torch", EXTRA)
    on_gpu = not device.startswith("cpu")
    if precision == "full" or (precision == "auto" and not on_gpu):
        return torch.float32
    narrow = device.startswith("mps") or (
        on_gpu and not torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.float16 if narrow else torch.bfloat16


def _processor(settings: LocalModelSettings, config: Any) -> Any:
    """Load the processor; where its video half needs a torchvision that is not there, without that half."""
    transformers = require("transformers", EXTRA)
    mapping = transformers.models.auto.processing_auto.PROCESSOR_MAPPING
    known = mapping.get(type(config), None)
    if known is not None and "video_processor" in known.get_attributes() and not _has("torchvision"):
        processor = _read("processor", _without_video(known), settings)
    else:
        processor = _read("processor", transformers.AutoProcessor, settings)
    parts = [part for part in ("tokenizer", "image_processor") if not hasattr(processor, part)]
    if parts:
        raise BackendError(
            f"{settings.model}: its processor has no {' and no '.join(parts)} {_get(settings)}"
        )
    return processor


def _without_video(processor: Any) -> Any:
    """The processor's class with its video half left out."""
    parts = processor.get_attributes()
    kept = [part for part in parts if part != "video_processor"]

    def assemble(cls: Any, /, args: Sequence[Any], processor_dict: dict[str, Any], **options: Any) -> Any:
        there = dict(zip(kept, args, strict=True))
        return processor.from_args_and_dict.__func__(
            cls, [there.get(part) for part in parts], processor_dict, **options
        )

    members = {
        "get_attributes": classmethod(lambda cls: list(kept)),
        "from_args_and_dict": classmethod(assemble),
    }
    return type(processor.__name__, (processor,), members)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _read(what: str, factory: Any, settings: LocalModelSettings, **options: Any) -> Any:
    safetensors = require("safetensors", EXTRA)
    source = str(Path(settings.model).expanduser()) if _is_path(settings.model) else settings.model
    try:
        with memory_errors(settings, "main memory"):
            return factory.from_pretrained(source, local_files_only=settings.offline, **options)
    except (*_UNLOADABLE, safetensors.SafetensorError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BackendError(
            f"{settings.model}: cannot load the {what}: {reason:.200} {_get(settings)}"
        ) from error


def _is_path(model: str) -> bool:
    path = Path(model).expanduser()
    return path.is_absolute() or path.exists() or model.count("/") != 1


def _get(settings: LocalModelSettings) -> str:
    if _is_path(settings.model):
        path = Path(settings.model).expanduser()
        return (
            f"[{path} must hold config.json, *.safetensors and the processor's files: "
            f"hf download <model id> --local-dir {path}]"
        )
    return f"[get it with: hf download {settings.model}]"
