# SPDX-License-Identifier: Apache-2.0
"""What a command cannot say to a running graph, and what decides it there."""

from __future__ import annotations

import typer

DECIDES = {
    "backend": "the reasoner node's parameter backend decides",
    "settings": "the reasoner node's parameter backend_settings decides",
    "record": "the reasoner node's parameter record_folder decides",
    "photo": "the reasoner node looks at the camera's newest image",
    "seed": "the reasoner node draws by itself",
    "before": "the running graph remembers earlier scenes itself",
    "robot": "every node's parameter robot decides",
    "start": "the plan starts where the arm is",
    "camera": "the scene node's parameter camera decides",
    "perception": "the scene node's parameter perception decides",
    "model": "the models of the scene node's parameter perception decide",
    "color": "the scene node's camera is looked through",
    "depth": "the scene node's camera is looked through",
    "intrinsics": "the scene node's camera is looked through",
    "pose": "the scene node knows its camera's pose",
}
"""By parameter of a command: why it has no effect with --live."""


def refuse_unheard(context: typer.Context) -> None:
    """Refuse options that were given together with --live and would have no effect."""
    refused = [
        f"{max(parameter.opts, key=len)} has no effect with --live: {DECIDES[parameter.name]}"
        for parameter in context.command.params
        if parameter.name in DECIDES and _is_given(context, parameter.name)
    ]
    if refused:
        raise typer.BadParameter("; ".join(refused))


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
