# SPDX-License-Identifier: Apache-2.0
"""The `spatialpin` command: the whole flow, and each stage of it, from a terminal."""

from __future__ import annotations

from collections.abc import Callable

import typer

from spatialpin_ros.commands.capture import capture
from spatialpin_ros.commands.common import FriendlyGroup
from spatialpin_ros.commands.demo import demo
from spatialpin_ros.commands.doctor import doctor
from spatialpin_ros.commands.evaluate import evaluate
from spatialpin_ros.commands.plan import plan
from spatialpin_ros.commands.reason import ask, propose
from spatialpin_ros.commands.replay import app as replay
from spatialpin_ros.commands.run import run

EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {
    demo: (
        "demo --seed 3",
        'demo --request "stack the red cube on the blue box"',
        "demo --repeat 10 --no-ros",
    ),
    capture: (
        "capture --color c.png --depth d.png --intrinsics k.json -o scene.json",
        'capture --color photo.jpg --name "red cube" --name mug',
        "capture --live --image seen.png",
    ),
    propose: ("propose scene.json -o tasks.json", "propose --live --why"),
    ask: ('ask "how tall is the blue box?" scene.json', 'ask "what is left of the red cube?" --live'),
    plan: (
        'plan scene.json -r "stack the red cube on the blue box"',
        "plan scene.json -t tasks.json --number 2",
    ),
    run: ('run "put the small cylinder on the largest block"',),
    doctor: ("doctor", "doctor --json"),
}

app = typer.Typer(
    cls=FriendlyGroup,
    help="See a table, say what could be done with it, plan it, do it. Start with: spatialpin demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


for command, examples in EXAMPLES.items():
    lines = "\n\n".join(f"spatialpin {example}" for example in examples)
    app.command(epilog=f"Examples:\n\n{lines}")(command)
app.add_typer(replay, name="replay")
app.add_typer(evaluate, name="evaluate")


def main() -> None:
    """Run the command line."""
    app(prog_name="spatialpin")


if __name__ == "__main__":
    main()
