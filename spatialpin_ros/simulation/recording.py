# SPDX-License-Identifier: Apache-2.0
"""Recording of what happens in the world, as PNG frames and an animated GIF."""

from __future__ import annotations

from pathlib import Path

from spatialpin_ros.arrays import UInt8Array
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.simulation.views import View, snapshot_view
from spatialpin_ros.simulation.world import World


class RecordingCamera:
    """Takes pictures at a fixed rate of simulated time into a folder.

    A picture takes the renderer 0.1 to 0.2 s; keep them small and few, so that they do not slow the simulation.

    Args:
        world: what to record.
        folder: where frame_0000.png, frame_0001.png ... go; made when missing.
        view: a name of `SNAPSHOT_VIEWS`, or a view.
        rate_hz: pictures per simulated second.
        width, height: picture size [px]; for a named view.

    Raises:
        BackendError: when Pillow is missing.
    """

    def __init__(
        self,
        world: World,
        folder: Path,
        view: str | View = "overview",
        *,
        rate_hz: float = 5.0,
        width: int = 400,
        height: int = 300,
    ) -> None:
        if rate_hz <= 0.0:
            raise InvalidValueError(f"recording: rate must be positive, got {rate_hz} Hz")
        try:
            from PIL import Image
        except ImportError as error:
            raise BackendError("recording needs Pillow: pip install 'spatialpin_ros[report]'") from error
        self._image = Image
        self._world, self.folder, self.rate_hz = world, folder, rate_hz
        self._view = snapshot_view(view, width, height) if isinstance(view, str) else view
        self._next_s = world.time_s
        self.frames: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)

    def update(self) -> bool:
        """Take a picture when one is due; True when one was taken."""
        if self._world.time_s + 1e-9 < self._next_s:
            return False
        self._next_s = max(self._next_s + 1.0 / self.rate_hz, self._world.time_s)
        self.take()
        return True

    def take(self) -> UInt8Array:
        """Take a picture now, write it, and return it, (H, W, 3)."""
        picture = self._world.snapshot(self._view)
        path = self.folder / f"frame_{len(self.frames):04d}.png"
        self._image.fromarray(picture).save(path, compress_level=3)
        self.frames.append(path)
        return picture

    def save_gif(self, path: Path, speed: float = 1.0) -> Path:
        """Join the frames to an endless GIF played at `speed` times simulated time.

        Raises:
            InvalidValueError: when nothing was recorded.
        """
        if not self.frames:
            raise InvalidValueError("recording: no frames were taken")
        images = [
            self._image.open(frame).convert("P", palette=self._image.Palette.ADAPTIVE)
            for frame in self.frames
        ]
        period_ms = max(20, round(1000.0 / (self.rate_hz * speed)))
        images[0].save(
            path, save_all=True, append_images=images[1:], duration=period_ms, loop=0, optimize=False
        )
        return path
