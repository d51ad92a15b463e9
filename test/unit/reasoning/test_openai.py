# SPDX-License-Identifier: Apache-2.0
"""The openai back end against a scripted HTTP server on this machine."""

from __future__ import annotations

import json
import logging
import threading

import numpy as np
import pytest
from scenes import EYE_M, LOOKED_AT_M, five_blocks, make_scene
from scripted_server import ScriptedServer

from spatialpin_ros.camera import CameraFrame, Intrinsics
from spatialpin_ros.errors import (
    AmbiguousNameError,
    BackendError,
    InfeasibleTaskError,
    InvalidValueError,
    NotUnderstoodError,
    UnknownNameError,
)
from spatialpin_ros.geometry import Pose
from spatialpin_ros.reasoning import Abilities, create_backend
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError

KEY = "sk-test-not-a-real-key"
ABILITIES = Abilities()
ONE_CALL = {"priors": "direct", "suggest_parameters": False}


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def backend(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = create_backend(
        "openai", model="tiny", base_url=server.url, backoff_s=0.0, retries=2, timeout_s=5.0, **ONE_CALL
    )
    yield made
    made.close()


def task(item, target, sentence="Stack it."):
    return {
        "object_id": item,
        "place": "on",
        "target_id": target,
        "description": sentence,
        "reason": "it fits",
    }


def understood(*moves):
    moves = [dict(zip(("object_id", "place", "reference_id"), move, strict=True)) for move in moves]
    return {"status": "understood", "message": "", "candidates": [], "moves": moves}


ANSWER = {"reasoning": "r", "answer": "It is 9 cm tall.", "value": 0.09, "unit": "m", "object_ids": ["o3"]}


def test_proposals_are_checked_and_a_bad_one_is_replaced_once(server, backend):
    server.says({"tasks": [task("o1", "o2", "Stack red on blue."), task("o4", "o2")]})
    server.says({"tasks": [task("o5", "o1", "Stack small on large.")]})
    result = backend.propose(five_blocks(), ABILITIES, max_tasks=2)
    assert [each.description for each in result.tasks] == ["Stack red on blue.", "Stack small on large."]
    assert [(entry.reason, entry.object_id) for entry in result.rejected] == [("round_base", "o4")]
    assert result.tasks[0].backend == "openai"
    assert result.tasks[0].score > result.tasks[1].score
    first, second = server.requests
    assert "would roll off" in second["messages"][-1]["content"]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert "o2" in first["messages"][1]["content"]
    schema = first["response_format"]["json_schema"]["schema"]
    item = schema["properties"]["tasks"]["items"]
    assert item["properties"]["object_id"]["enum"] == ["o1", "o2", "o3", "o4", "o5"]
    assert item["additionalProperties"] is False
    assert set(item["required"]) == set(item["properties"])


def test_a_rejected_proposal_is_replaced_once_then_dropped(server, backend):
    for _ in range(2):
        server.says({"tasks": [task("o4", "o2")]})
    result = backend.propose(five_blocks(), ABILITIES, max_tasks=2)
    assert result.tasks == ()
    assert len(result.rejected) == 1
    assert len(server.requests) == 2


def test_no_model_is_asked_about_an_empty_table(server, backend):
    assert backend.propose(make_scene(), ABILITIES).tasks == ()
    with pytest.raises(UnknownNameError):
        backend.describe(make_scene(), ABILITIES, "stack it")
    assert server.requests == []


def test_a_request_becomes_a_task_whose_geometry_is_computed_here(server, backend):
    server.says(understood(("o1", "on", "o2"), ("o4", "left", "table"), ("o3", "near", "o1")))
    made = backend.describe(five_blocks(), ABILITIES, "tidy up")
    assert [step.action for step in made.steps] == [
        "pick",
        "place_on",
        "pick",
        "place_in_area",
        "pick",
        "place_in_area",
    ]
    assert made.request == "tidy up"
    assert made.steps[3].area[:, 1].mean() < 0.0


def test_an_infeasible_move_is_repaired_or_reported(server, backend):
    server.says(understood(("o4", "on", "o2")))
    server.says(understood(("o4", "near", "o2")))
    assert backend.describe(five_blocks(), ABILITIES, "ball to box").steps[-1].action == "place_in_area"
    for _ in range(3):
        server.says(understood(("o4", "on", "o2")))
    with pytest.raises(InfeasibleTaskError) as caught:
        backend.describe(five_blocks(), ABILITIES, "ball on box")
    assert caught.value.reason == "round_base"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("unknown_name", UnknownNameError),
        ("ambiguous_name", AmbiguousNameError),
        ("not_understood", NotUnderstoodError),
        ("infeasible", InfeasibleTaskError),
    ],
)
def test_what_the_model_does_not_understand_is_typed(server, backend, status, error):
    server.says({"status": status, "message": "why", "candidates": ["o1", "o5"], "moves": []})
    with pytest.raises(error):
        backend.describe(five_blocks(), ABILITIES, "do it")


def test_an_answer_with_its_usage_and_the_image(server, backend):
    server.says(ANSWER)
    camera = Intrinsics.from_vertical_fov(64, 48, 0.8)
    frame = CameraFrame(
        np.full((48, 64, 3), 90, np.uint8),
        np.ones((48, 64), np.float32),
        camera,
        Pose.looking_at(EYE_M, LOOKED_AT_M),
    )
    reply = backend.answer(five_blocks(), "how tall is the can?", frame)
    assert (reply.value, reply.unit, reply.object_ids) == (0.09, "m", ("o3",))
    assert "tiny" in reply.program
    parts = server.requests[0]["messages"][1]["content"]
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(ANSWER),
        "Sure!\n```json\n" + json.dumps(ANSWER) + "\n```\nAnything else?",
        "So {that} is it: " + json.dumps({**ANSWER, "value": "0.09"}),
    ],
)
def test_json_amid_words_and_numbers_as_text_are_read(server, backend, raw):
    server.says(raw)
    assert backend.answer(five_blocks(), "how tall?").value == pytest.approx(0.09)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"answer": "cut', "not valid JSON"),
        ("I do not know", "no JSON object"),
        ({**ANSWER, "object_ids": ["o99"]}, "o99"),
        ({"answer": "It is tall."}, "required"),
        ("", "empty"),
    ],
)
def test_a_bad_reply_is_repaired_with_the_reason(server, backend, bad, said):
    server.says(bad)
    server.says(ANSWER)
    assert backend.answer(five_blocks(), "how tall?").value == pytest.approx(0.09)
    assert said in server.requests[1]["messages"][-1]["content"]


def test_a_reply_that_stays_bad_is_an_error(server, backend):
    for _ in range(3):
        server.says("no idea")
    with pytest.raises(ReplyFormatError, match="no JSON object"):
        backend.answer(five_blocks(), "how tall?")


def test_rate_limits_and_server_errors_are_retried(server, backend):
    server.fails(429, **{"Retry-After": "0"})
    server.fails(503)
    server.says(ANSWER)
    assert backend.answer(five_blocks(), "how tall?").value == pytest.approx(0.09)


def test_a_dropped_connection_is_retried(server, backend):
    server.script.append(None)
    server.says(ANSWER)
    assert backend.answer(five_blocks(), "how tall?").value == pytest.approx(0.09)


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (500, "server")])
def test_retries_are_bounded(server, backend, status, kind):
    for _ in range(3):
        server.fails(status)
    with pytest.raises(ModelError) as caught:
        backend.answer(five_blocks(), "how tall?")
    assert caught.value.kind == kind
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"bad key", "no_key"),
        (404, b"no such model", "rejected"),
        (400, b"context too long", "rejected"),
        (200, b"<html>", "malformed"),
        (200, b'{"choices": []}', "malformed"),
    ],
)
def test_what_no_retry_helps_fails_at_once(server, backend, status, body, kind):
    server.fails(status, body)
    with pytest.raises(ModelError) as caught:
        backend.answer(five_blocks(), "how tall?")
    assert caught.value.kind == kind
    assert len(server.requests) == 1


def test_refusals_and_cut_off_replies_are_named(server, backend):
    server.says(None, refusal="I will not")
    with pytest.raises(ModelError, match="I will not") as caught:
        backend.answer(five_blocks(), "how tall?")
    assert caught.value.kind == "refused"
    server.says('{"answer": "It', finish="length")
    with pytest.raises(ModelError, match="max_tokens") as caught:
        backend.answer(five_blocks(), "how tall?")
    assert caught.value.kind == "cut_off"


def test_a_dead_server_is_named(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    gone = ScriptedServer()
    gone.close()
    backend = create_backend("openai", model="tiny", base_url=gone.url, backoff_s=0.0, retries=1, **ONE_CALL)
    with pytest.raises(BackendError, match="is the server running") as caught:
        backend.answer(five_blocks(), "how tall?")
    assert caught.value.kind == "unreachable"


def test_a_silent_server_times_out(server, monkeypatch):
    release = threading.Event()
    server.server.RequestHandlerClass.do_POST = lambda handler: release.wait(10.0)
    backend = create_backend(
        "openai", model="tiny", base_url=server.url, backoff_s=0.0, retries=0, timeout_s=0.2, **ONE_CALL
    )
    try:
        with pytest.raises(ModelError, match="did not answer within") as caught:
            backend.answer(five_blocks(), "how tall?")
    finally:
        release.set()
    assert caught.value.kind == "timeout"


def test_a_server_without_strict_schemas_gets_a_weaker_request(server, backend):
    server.fails(400, b"response_format json_schema is not supported")
    server.fails(400, b"response_format must be text")
    server.says(ANSWER)
    server.says(ANSWER)
    assert backend.answer(five_blocks(), "how tall?").value == pytest.approx(0.09)
    assert [each.get("response_format", {}).get("type") for each in server.requests] == [
        "json_schema",
        "json_object",
        None,
    ]
    assert "JSON schema" in server.requests[2]["messages"][0]["content"]
    backend.answer(five_blocks(), "how tall?")
    assert "response_format" not in server.requests[3]


def test_the_key_comes_from_the_environment_and_shows_nowhere(server, backend, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    server.fails(404, f"unknown key {KEY}".encode())
    with pytest.raises(ModelError) as caught:
        backend.answer(five_blocks(), "how tall?")
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as missing:
        create_backend("openai", model="hosted")
    assert missing.value.kind == "no_key"
    with pytest.raises(BackendError, match="api_key"):
        create_backend("openai", model="x", api_key=KEY)


def test_a_local_server_needs_no_key(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.says(ANSWER)
    backend = create_backend("openai", model="tiny", base_url=server.url, **ONE_CALL)
    assert backend.answer(five_blocks(), "how tall?").object_ids == ("o3",)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "settings",
    [{"model": ""}, {"model": "x", "base_url": "localhost"}, {"model": "x", "structured_output": "xml"},
     {"model": "x", "timeout_s": 0.0}],
)  # fmt: skip
def test_bad_settings_are_refused(settings):
    with pytest.raises(InvalidValueError, match="openai back end"):
        create_backend("openai", **settings)
