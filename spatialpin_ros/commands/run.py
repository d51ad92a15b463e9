# SPDX-License-Identifier: Apache-2.0
"""`spatialpin run`: a free-text request carried out on a live robot or simulator."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from spatialpin_ros.commands.common import connect
from spatialpin_ros.commands.plan import show_failure
from spatialpin_ros.demo.account import Account, make_console
from spatialpin_ros.plan import PlanFailure
from spatialpin_ros.report.page import sentence


def run(
    request: Annotated[
        str, typer.Argument(help='What to do, such as "put the small cylinder on the largest block".')
    ],
    approve: Annotated[
        bool, typer.Option("--approve", help="In a dry run, move without waiting for an approval elsewhere.")
    ] = False,
) -> None:
    """Look, understand, plan, move and verify on the running ROS graph; Ctrl-C stops the arm."""
    account = Account(make_console())
    client = connect()
    try:
        with account.step("look") as step:
            scene = client.capture()
            step.note = ", ".join(scene.names) or "the table is empty"
        with account.step("understand") as step:
            task = client.describe(request)
            step.note = task.description
        with account.step("plan") as step:
            plan = client.plan(task)
            if isinstance(plan, PlanFailure):
                step.good, step.note = False, plan.reason
            else:
                step.note = f"{len(plan.stages)} stages, {plan.duration_s:.1f} s of motion"
        if isinstance(plan, PlanFailure):
            show_failure(plan)
            raise typer.Exit(1)
        with account.execution() as lines:
            outcome = client.execute(task, plan, lines.update, threading.Event(), approved=approve)
    finally:
        client.close()
    good = outcome.status in ("succeeded", "planned")
    verdict = outcome.level if outcome.status == "succeeded" else f"{outcome.status} {outcome.reason}".strip()
    account.verdict(good, verdict, sentence(outcome.message))
    if not good:
        raise typer.Exit(1)
