# SPDX-License-Identifier: Apache-2.0
"""The names of the objects in an image, from a vision-language model: what perception then looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning.images import opencv
from spatialpin_ros.reasoning.registry import create_backend

if TYPE_CHECKING:
    from spatialpin_ros.reasoning.backends.prompted import PromptedBackend


class ObjectLister:
    """Asks a model what is on the table, in the words of the objects turn; the back end is made when first used.

    Args:
        settings: `backend`, which must be one with a model, and its settings.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._backend: PromptedBackend | None = None

    def __call__(self, image: UInt8Array) -> tuple[str, ...]:
        """Name the objects of an (H, W, 3) RGB image, each once.

        Raises:
            BackendError: when the back end cannot be made, or looks at no images.
            ModelError: when the model cannot be reached or gives no usable reply.
        """
        backend = self._made()
        from spatialpin_ros.reasoning.turns import Conversation, objects

        prompts = backend.prompts
        found = Conversation(backend.model, prompts, backend.max_repairs).ask(
            "objects",
            prompts.fill("system_image"),
            prompts.fill("objects"),
            [_png(image)],
            objects.found_schema(),
            objects.read_found,
        )
        return tuple(dict.fromkeys(full_name(item.color, item.name) for item in found))

    def _made(self) -> PromptedBackend:
        if self._backend is None:
            settings = dict(self._settings)
            made = create_backend(settings.pop("backend"), **settings)
            # Only here: what it needs may not be installed, which `create_backend` has told by now.
            from spatialpin_ros.reasoning.backends.prompted import PromptedBackend

            if not isinstance(made, PromptedBackend):
                raise BackendError(
                    f"back end '{made.name}' looks at no images; name objects with openai or transformers"
                )
            self._backend = made
        return self._backend


def full_name(color: str, name: str) -> str:
    """Colour and name, as a detector is asked; the colour once."""
    color, name = color.strip().lower(), name.strip().lower()
    return name if not color or color in name.split() else f"{color} {name}"


def _png(image: UInt8Array) -> bytes:
    cv2 = opencv()
    return bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
