# SPDX-License-Identifier: Apache-2.0
"""Completion by an image-to-3D model behind an HTTP address: a picture and a mask are posted, a mesh comes back."""

from __future__ import annotations

import os
import urllib.error
import urllib.parse
import urllib.request
import uuid

import cv2
import numpy as np

from spatialpin_ros.arrays import BoolArray, UInt8Array
from spatialpin_ros.camera import CameraFrame
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.perception.completion.protocol import Completion
from spatialpin_ros.perception.meshes import decode_mesh, simplified
from spatialpin_ros.scene import SceneObject

_TYPES = {
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
    "model/obj": "obj",
    "model/stl": "stl",
    "model/ply": "ply",
    "application/ply": "ply",
    "application/sla": "stl",
}
_LARGEST_BYTES = 200_000_000
_MARGIN = 0.2


class HttpCompleter:
    """Posts multipart/form-data with the files `image` and `mask` (PNG crops around the object).

    The reply is a GLB, glTF, OBJ, PLY or STL file in any pose and scale; its Content-Type or its first bytes say which.

    Args:
        url: address of the model's server.
        timeout_s: for the whole answer.
        token_variable: environment variable with a bearer token; empty for none.
    """

    name = "http"

    def __init__(self, url: str, timeout_s: float = 120.0, token_variable: str = "") -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise InvalidValueError(f"completion: the url must begin with http:// or https://, got '{url}'")
        if not timeout_s > 0.0:
            raise InvalidValueError(f"completion: timeout_s must be positive, got {timeout_s}")
        self._url, self._timeout_s = url, timeout_s
        self._token = os.environ.get(token_variable, "") if token_variable else ""
        if token_variable and not self._token:
            raise BackendError(
                f"completion: environment variable {token_variable} is not set; it holds the token"
            )

    def complete(self, frame: CameraFrame, item: SceneObject) -> Completion:
        if item.mask is None or not item.mask.area:
            raise BackendError(f"completion: '{item.name}' has no mask to cut its picture out with")
        image, mask = _crops(frame.color, item.mask.full(frame.size))
        data, kind = self._post({"image": _png(image[:, :, ::-1]), "mask": _png(mask.astype(np.uint8) * 255)})
        try:
            mesh = decode_mesh(data, _format(data, kind), self._url)
        except InvalidValueError as error:
            raise BackendError(f"completion: the reply is no mesh: {error}") from error
        return Completion(simplified(mesh), in_base=False)

    def _post(self, files: dict[str, bytes]) -> tuple[bytes, str]:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n'
            "Content-Type: image/png\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as reply:
                data = reply.read(_LARGEST_BYTES + 1)
                kind = reply.headers.get_content_type()
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace").strip()
            raise BackendError(f"completion: {self._url} answered {error.code}: {said}") from error
        except (OSError, ValueError) as error:
            raise BackendError(
                f"completion: no answer from {self._url}: {error}; is the server running, is timeout_s "
                f"({self._timeout_s:g}) long enough?"
            ) from error
        if len(data) > _LARGEST_BYTES:
            raise BackendError(f"completion: the mesh is larger than {_LARGEST_BYTES // 1_000_000} MB")
        return data, kind


def _crops(image: UInt8Array, mask: BoolArray) -> tuple[UInt8Array, BoolArray]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = int(_MARGIN * max(np.ptp(rows), np.ptp(columns))) + 1
    window = (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
    return image[window], mask[window]


def _png(image: UInt8Array) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(image))
    if not done:
        raise BackendError("completion: the picture cannot be written as PNG")
    return bytes(data)


def _format(data: bytes, content_type: str) -> str:
    """Mesh format by the first bytes, else by the content type; text that is nothing else is OBJ."""
    start = data[:80].lstrip()
    if start.startswith(b"glTF"):
        return "glb"
    if start.startswith(b"ply"):
        return "ply"
    if start.startswith(b"OFF"):
        return "off"
    if start.startswith(b"{"):
        return "gltf"
    return _TYPES.get(content_type, "obj")
