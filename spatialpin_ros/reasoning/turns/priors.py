# SPDX-License-Identifier: Apache-2.0
"""Which 3D priors a model is given: the ablation switch of the turns."""

from __future__ import annotations

from dataclasses import dataclass, fields

from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Priors:
    """Each turn on or off.

    Args:
        objects: the model names the objects in the image and is told which marked object each one is.
        coarse: scene size, extents and perspective.
        fine: a drawing of the scene with axes, and every object's centre, axes, size and neighbours in numbers.
        numbers: the fine turn's numbers in the last prompt, with or without that turn.
    """

    objects: bool = True
    coarse: bool = True
    fine: bool = True
    numbers: bool = True

    @classmethod
    def named(cls, name: str) -> Priors:
        """Make them from a preset ("full") or the turns joined with + ("objects+fine").

        Raises:
            InvalidValueError: on a name that is neither; lists what there is.
        """
        if name in PRESETS:
            return PRESETS[name]
        turns = name.split("+")
        known = [field.name for field in fields(cls)]
        if not name or any(turn not in known for turn in turns):
            raise InvalidValueError(
                f"priors '{name}' are none of {', '.join(PRESETS)}, nor turns joined with + out of {', '.join(known)}"
            )
        chosen = {turn: turn in turns for turn in known}
        return cls(**{**chosen, "numbers": chosen["numbers"] or chosen["fine"]})

    def __str__(self) -> str:
        preset = next((name for name, value in PRESETS.items() if value == self), "")
        return preset or "+".join(field.name for field in fields(self) if getattr(self, field.name))


PRESETS = {
    "full": Priors(),
    "coarse": Priors(fine=False, numbers=False),
    "objects": Priors(coarse=False, fine=False, numbers=False),
    "none": Priors(objects=False, coarse=False, fine=False, numbers=False),
    "direct": Priors(objects=False, coarse=False, fine=False),
}
