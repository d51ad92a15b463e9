# SPDX-License-Identifier: Apache-2.0
"""Texts in which there is nothing to understand, and things put on themselves."""

from __future__ import annotations

import pytest
from scenes import five_blocks

from spatialpin_ros.errors import InfeasibleTaskError, NotUnderstoodError
from spatialpin_ros.reasoning import Abilities
from spatialpin_ros.reasoning.language import understand
from spatialpin_ros.reasoning.questions import answer


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the {} is empty"),
        (" \n", "the {} is empty"),
        ("😀 🎉", "'😀 🎉' has no words"),
        ("\0", "'\N{REPLACEMENT CHARACTER}' has no words"),
        ("...", "'...' has no words"),
    ],
)
def test_what_has_no_words_is_not_called_empty(text: str, said: str) -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        answer(five_blocks(), text)
    assert str(caught.value).startswith(said.format("question"))
    with pytest.raises(NotUnderstoodError) as caught:
        understand(five_blocks(), Abilities(), text)
    assert str(caught.value).startswith(said.format("request"))


@pytest.mark.parametrize(
    "request_text",
    [
        "stack the green cylinder on itself",
        "put the green cylinder left of itself",
        "put the green cylinder next to itself",
    ],
)
def test_nothing_is_put_on_itself(request_text: str) -> None:
    with pytest.raises(
        InfeasibleTaskError, match="the green cylinder cannot be put relative to itself"
    ) as caught:
        understand(five_blocks(), Abilities(), request_text)
    assert caught.value.reason == "same_object"


def test_nor_several_things_on_themselves() -> None:
    with pytest.raises(InfeasibleTaskError, match="cannot be put relative to themselves"):
        understand(five_blocks(), Abilities(), "stack the green cylinder and the blue box on themselves")
