# SPDX-License-Identifier: Apache-2.0
import pytest

from spatialpin_ros.simulation.pace import MOST_LAG_S, Pace

STEP_S = 0.01


class Wall:
    """A clock that runs only while somebody waits, or works."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def work(self, duration_s: float) -> None:
        self.now_s += duration_s


def made(factor: float) -> tuple[Pace, Wall]:
    wall = Wall()
    return Pace(factor, wall.work, lambda: wall.now_s), wall


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_simulated_time_takes_its_share_of_real_time(factor: float) -> None:
    pace, wall = made(factor)
    for _ in range(200):
        wall.work(0.1 * STEP_S / factor)
        pace.keep(STEP_S)
    assert wall.now_s - 100.0 == pytest.approx(200 * STEP_S / factor)


def test_a_short_delay_is_made_up_for() -> None:
    pace, wall = made(1.0)
    wall.work(0.8 * MOST_LAG_S)
    for _ in range(100):
        pace.keep(STEP_S)
    assert wall.now_s - 100.0 == pytest.approx(100 * STEP_S)


def test_a_long_delay_is_not_followed_by_a_rush() -> None:
    pace, wall = made(1.0)
    wall.work(30.0)
    for _ in range(100):
        pace.keep(STEP_S)
    assert wall.now_s - 130.0 == pytest.approx(100 * STEP_S, abs=MOST_LAG_S + 2.0 * STEP_S)


def test_no_factor_means_no_waiting() -> None:
    pace, wall = made(0.0)
    for _ in range(100):
        pace.keep(STEP_S)
    assert wall.now_s == 100.0
