# SPDX-License-Identifier: Apache-2.0
"""How the openai back end gets along with servers that differ, and what it does not give away."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
from scenes import five_blocks
from scripted_server import Dripping, ScriptedServer

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.reasoning import Message, create_backend, schemas
from spatialpin_ros.reasoning.backends import openai
from spatialpin_ros.reasoning.backends.openai import Endpoint, OpenAIModel
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError

KEY = "sk-test-not-a-real-key-0123456789"
ASKED = (Message("system", "Be brief."), Message("user", "How tall?"))
SCHEMA = schemas.answer_schema(five_blocks())
ENFORCED = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}
ANSWER = {"reasoning": "r", "answer": "9 cm.", "value": 0.09, "unit": "m", "object_ids": ["o3"]}


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def waits(monkeypatch):
    """Lengths of the waits between attempts [s], which are not waited for."""
    taken: list[float] = []
    monkeypatch.setattr(openai.time, "sleep", taken.append)
    return taken


@pytest.fixture
def connect(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made: list[OpenAIModel] = []

    def make(**settings):
        made.append(
            OpenAIModel(Endpoint(**{"model": "tiny", "base_url": server.url, "timeout_s": 5.0, **settings}))
        )
        return made[-1]

    yield make
    for model in made:
        model.close()


def schema_shown(request):
    return json.dumps(SCHEMA) in request["messages"][0]["content"]


@pytest.mark.parametrize(
    ("wanted", "field", "shown"),
    [
        ("strict", {"response_format": ENFORCED}, False),
        ("vllm", {"structured_outputs": {"json": SCHEMA}}, False),
        ("json", {"response_format": {"type": "json_object"}}, True),
        ("prompt", {}, True),
    ],
)
def test_the_schema_goes_where_the_server_looks_for_it(server, connect, wanted, field, shown):
    server.says(ANSWER)
    assert connect(structured_output=wanted).complete(ASKED, [], SCHEMA).object["value"] == 0.09
    (request,) = server.requests
    structure = {
        key: value for key, value in request.items() if key in ("response_format", "structured_outputs")
    }
    assert structure == field
    assert schema_shown(request) == shown


def test_each_refusal_leads_to_the_next_weaker_request(server, connect):
    server.fails(422, b'{"detail": "Unexpected fields in the request: {\'structured_outputs\'}"}')
    server.fails(400, b"json_schema is not supported")
    server.fails(400, b"response_format must be text")
    server.says(ANSWER)
    connect(structured_output="vllm").complete(ASKED, [], SCHEMA)
    formats = [request.get("response_format", {}).get("type") for request in server.requests]
    assert formats == [None, "json_schema", "json_object", None]
    assert schema_shown(server.requests[-1])


def test_a_server_that_takes_a_schema_but_ignores_it_is_shown_it(server, connect):
    model = connect()
    server.says("It is tall.")
    with pytest.raises(ReplyFormatError):
        model.complete(ASKED, [], SCHEMA)
    server.says(ANSWER)
    model.complete(ASKED, [], SCHEMA)
    assert [schema_shown(request) for request in server.requests] == [False, True]
    assert all(request["response_format"]["type"] == "json_schema" for request in server.requests)


def test_parameters_that_newer_models_refuse_are_changed_once(server, connect):
    server.fails(400, b"'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    server.fails(400, b"'temperature' does not support 0.2 with this model")
    server.says(ANSWER)
    server.says(ANSWER)
    model = connect(max_tokens=77)
    model.complete(ASKED, [], SCHEMA)
    model.complete(ASKED, [], SCHEMA)
    assert ["temperature" in request for request in server.requests] == [True, True, False, False]
    assert [request.get("max_completion_tokens") for request in server.requests] == [None, 77, 77, 77]
    assert all(request["response_format"]["type"] == "json_schema" for request in server.requests)


def test_a_refusal_that_nothing_cures_ends(server, connect):
    for _ in range(3):
        server.fails(400, b"temperature, max_completion_tokens")
    with pytest.raises(ModelError, match="the server rejected the request") as caught:
        connect().complete(ASKED, [], SCHEMA)
    assert caught.value.kind == "rejected"
    assert server.script == []


def test_waits_double_and_respect_what_the_server_asks_for(server, connect, waits):
    server.fails(503)
    server.fails(429, **{"Retry-After": "7"})
    server.fails(429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    server.fails(429, **{"Retry-After": "3600"})
    server.says(ANSWER)
    connect(backoff_s=0.5, retries=4).complete(ASKED, [], SCHEMA)
    assert waits == [0.5, 7.0, 2.0, 30.0]


def test_no_wait_follows_the_last_attempt(server, connect, waits):
    for _ in range(2):
        server.fails(429)
    with pytest.raises(ModelError) as caught:
        connect(backoff_s=0.5, retries=1).complete(ASKED, [], SCHEMA)
    assert caught.value.kind == "rate_limited"
    assert waits == [0.5]


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_wants_a_key_names_the_variable(server, connect, monkeypatch, status):
    server.fails(status)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="wants an API key: set OPENAI_API_KEY") as caught:
        connect().complete(ASKED, [], SCHEMA)
    assert caught.value.kind == "no_key"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", '"1e999"'])
def test_numbers_that_are_none_are_refused(server, connect, number):
    server.says(json.dumps(ANSWER).replace("0.09", number))
    with pytest.raises(ReplyFormatError):
        connect().complete(ASKED, [], SCHEMA)


@pytest.mark.parametrize("cut", range(270, 300, 7))
def test_no_part_of_the_key_shows_where_a_message_is_shortened(server, connect, cut):
    server.fails(404, b"x" * cut + KEY.encode())
    with pytest.raises(ModelError) as caught:
        connect().complete(ASKED, [], SCHEMA)
    assert KEY[:4] not in str(caught.value)


def test_the_key_is_in_no_log_and_no_recorded_file(server, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    backend = create_backend(
        "openai", model="tiny", base_url=server.url, api_key_env="MY_KEY", priors="none", retries=1, backoff_s=0.0,
        record_folder=tmp_path / "run",
    )  # fmt: skip
    server.fails(503, f"busy with {KEY}".encode())
    server.says("no idea")
    server.says(ANSWER)
    assert backend.answer(five_blocks(), "how tall?").value == 0.09
    server.fails(404, f"unknown key {KEY}".encode())
    with pytest.raises(ModelError):
        backend.answer(five_blocks(), "how wide?")
    backend.close()
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() for path in files)
    assert KEY not in caplog.text
    assert KEY not in repr(backend.trace)


def test_an_address_with_a_key_in_it_is_refused():
    with pytest.raises(InvalidValueError, match="api_key_env") as caught:
        Endpoint(model="x", base_url=f"http://me:{KEY}@localhost:1/v1")
    assert KEY not in str(caught.value)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD, b"X-Still: here\r\n"),
        (b"HTTP/1.1 200", b" "),
    ],
    ids=["body", "chunks", "headers", "status line"],
)
def test_a_server_that_drips_is_given_up_in_time(server, connect, waits, begin, drop):
    drips = [Dripping(begin, drop, 0.05) for _ in range(2)]
    server.script += drips
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"did not answer within 0\.4 s") as caught:
        connect(timeout_s=0.4, retries=1).complete(ASKED, [], SCHEMA)
    assert caught.value.kind == "timeout"
    assert 0.8 <= time.monotonic() - started < 2.0
    assert len(server.requests) == 2
    assert all(drip.ended.wait(5.0) for drip in drips), "the connection was kept"


def test_after_a_timeout_the_next_attempt_is_answered(server, connect, waits):
    server.script.append(Dripping(HEAD + b"Content-Length: 9999\r\n\r\n", b" ", 0.05))
    server.says(ANSWER)
    assert connect(timeout_s=0.5, retries=1).complete(ASKED, [], SCHEMA).object["value"] == 0.09


def test_requests_share_a_connection(server, connect):
    model = connect()
    for _ in range(3):
        server.says(ANSWER)
        model.complete(ASKED, [], SCHEMA)
    assert len(set(server.addresses)) == 1


def test_a_model_can_be_asked_where_an_event_loop_runs(server, connect):
    server.says(ANSWER)

    async def notebook():
        return connect().complete(ASKED, [], SCHEMA)

    assert asyncio.run(notebook()).object["value"] == 0.09


def test_closing_twice_or_unused_is_nothing(server, connect):
    connect().close()
    used = connect()
    server.says(ANSWER)
    used.complete(ASKED, [], SCHEMA)
    used.close()
    used.close()
