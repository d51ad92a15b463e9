# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialpin_ros.spatial_qa.parsing import read_choice, read_quantity, read_yes_no

LENGTHS_M = {
    "1,200 mm": 1.2,
    "1 200 mm": 1.2,
    "1.200,5 mm": 1.2005,
    "0,86 m": 0.86,
    "0.86m": 0.86,
    "12cm.": 0.12,
    "１２ｃｍ": 0.12,
    "-3 cm": -0.03,
    "5 ft 10 in": 1.778,
    "5'10\"": 1.778,
    "5′10″": 1.778,
    "roughly 3 feet and 2 inches": 0.9652,
    "1 m 20 cm": 1.2,
    "5½ inches": 0.1397,
    "5 1/2 in": 0.1397,
    "3/4 m": 0.75,
    "half a meter": 0.5,
    "a meter and a half": 1.5,
    "two and a half metres": 2.5,
    "a quarter of a meter": 0.25,
    "three quarters of a metre": 0.75,
    "A foot": 0.3048,
    "twenty-five centimeters": 0.25,
    "one hundred and twenty millimetres": 0.12,
    "1.2e-1 m": 0.12,
    "1.2 × 10^-1 m": 0.12,
    "$0.35$ m": 0.35,
    "\\boxed{35\\text{ cm}}": 0.35,
    "\\(0.35\\,\\text{m}\\)": 0.35,
    "10-15 cm": 0.125,
    "10–15 cm": 0.125,
    "between 10 and 15 cm": 0.125,
    "10 cm to 15 cm": 0.125,
    "12 ± 1 cm": 0.12,
    "12 cm (4.7 in)": 0.12,
    "15 centimetres or 0.15 m": 0.15,
    "It's 3 in tall": 0.0762,
    'about 6"': 0.1524,
    "Approximately **15 cm**": 0.15,
    "One is at 30 cm and the other at 50 cm, so the distance is 20 cm.": 0.2,
    "Final answer: 0.2 m. (It is not 3 m.)": 0.2,
}
NO_LENGTH = {
    "There are 3 in the image": "no_unit",
    "12": "no_unit",
    "45 degrees": "wrong_dimension",
    "12 cm^2": "wrong_dimension",
    "5 m²": "wrong_dimension",
    "3 m/s": "wrong_dimension",
    "I cannot determine the distance from this picture.": "refused",
    "It is either 10 cm or 20 cm.": "ambiguous",
    "12 cm (9 in)": "ambiguous",
    "quite far": "no_number",
    "": "no_number",
}
ANGLES_DEG = {
    "45°": 45.0,
    "12.5 deg": 12.5,
    "forty-five degrees": 45.0,
    "30 to 40 degrees": 35.0,
    "$45^\\circ$": 45.0,
    "π/4": 45.0,
    "pi/4 radians": 45.0,
    "0.5 rad": 28.6479,
}
COUNTS = {
    "There are 3 in the image": 3,
    "three cubes": 3,
    "There are 2: the red cube 1 and the red cube 2.": 2,
    "None.": 0,
    "There is one.": 1,
    "The answer is 4": 4,
}


@pytest.mark.parametrize("text", LENGTHS_M)
def test_reads_lengths_in_metres(text: str) -> None:
    reading = read_quantity(text, "length")
    assert reading.status == "ok"
    assert reading.value == pytest.approx(LENGTHS_M[text], rel=1e-6)


@pytest.mark.parametrize("text", NO_LENGTH)
def test_says_why_there_is_no_length(text: str) -> None:
    reading = read_quantity(text, "length")
    assert (reading.status, reading.value) == (NO_LENGTH[text], None)


@pytest.mark.parametrize("text", ANGLES_DEG)
def test_reads_angles_in_degrees(text: str) -> None:
    assert read_quantity(text, "angle").value == pytest.approx(ANGLES_DEG[text], rel=1e-4)


@pytest.mark.parametrize("text", COUNTS)
def test_reads_counts(text: str) -> None:
    assert read_quantity(text, "count", ("red cube",)).value == COUNTS[text]


def test_keeps_the_ends_of_a_range() -> None:
    reading = read_quantity("somewhere between 10 and 15 cm", "length")
    assert (reading.low, reading.high) == pytest.approx((0.10, 0.15))


def test_reads_no_number_in_the_name_of_an_object() -> None:
    assert read_quantity("The red cube 2 is 12 cm away", "length", ("red cube",)).value == pytest.approx(0.12)
    assert read_quantity("The 5 cm cube is 12 cm away", "length", ("5 cm cube",)).value == pytest.approx(0.12)


@given(
    value=st.floats(0.01, 900.0),
    unit=st.sampled_from([("mm", 1e-3), ("cm", 1e-2), ("m", 1.0), ("inches", 0.0254), ("feet", 0.3048)]),
    frame=st.sampled_from(["{}", "It is about {}.", "**{}**", "The gap is roughly {} wide.", "Answer: {}"]),
    digits=st.integers(1, 3),
)  # fmt: skip
def test_reads_back_what_was_phrased(value: float, unit: tuple[str, float], frame: str, digits: int) -> None:
    reading = read_quantity(frame.format(f"{value:,.{digits}f} {unit[0]}"), "length")
    assert reading.value == pytest.approx(round(value, digits) * unit[1], abs=1e-9)


@given(st.text(max_size=80))
def test_never_fails_on_any_text(text: str) -> None:
    for dimension in ("length", "angle", "count"):
        read_quantity(text, dimension)  # type: ignore[arg-type]
    read_yes_no(text)
    read_choice(text, ("red cube", "blue box"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, the cube is left of it.", True),
        ("No, it is not.", False),
        ("The cube is not left of the box.", False),
        ("At first it seems yes. Final answer: no", False),
        ("True", True),
        ("The cube is red.", None),
    ],
)
def test_reads_yes_and_no(text: str, expected: bool | None) -> None:
    assert read_yes_no(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The red cube is taller.", 0),
        ("The left red cube is taller than the red cube.", 1),
        ("Not the red cube but the blue box.", 2),
        ("Answer: the blue box", 2),
        ("Neither.", None),
    ],
)
def test_reads_the_chosen_option(text: str, expected: int | None) -> None:
    assert read_choice(text, ("red cube", "left red cube", "blue box")) == expected
