# SPDX-License-Identifier: Apache-2.0
"""The reasoner remembers how the table looked, so that it can say over ROS what changed."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from spatialpin_interfaces.srv import AskScene

pytestmark = pytest.mark.slow


def test_what_changed_since_the_last_question(graph_of):
    with graph_of({"simulator": (), "scene": (), "reasoner": ()}) as graph:

        def ask(question):
            return graph.call(AskScene, "/reasoner/ask", AskScene.Request(question=question))

        graph.randomize(3)
        first = len(graph.capture().scene.objects)
        refused = ask("what changed?")
        assert not refused.success
        assert "earlier scene" in refused.text
        assert ask("how many objects are there?").value == first
        assert ask("how many objects have vanished?").value == 0.0
        graph.randomize(4)
        graph.capture()
        gone = ask("how many objects have vanished?")
        assert gone.success, gone.text
        assert gone.value + ask("how many objects have appeared?").value > 0.0
        assert ask("in the first image, how many objects are there?").value == first
