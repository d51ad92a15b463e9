# SPDX-License-Identifier: Apache-2.0
"""Recording, replaying and comparing runs."""

from __future__ import annotations

import errno
import json
import os
import resource

import cv2
import numpy as np
import pytest
from scenes import five_blocks, make_object, make_scene
from scripted_model import (
    ANSWER,
    CAMERA,
    COARSE,
    FINE,
    ScriptedModel,
    moves,
    parameters,
    photo,
    proposal,
    seen,
)

from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning import Abilities, create_backend
from spatialpin_ros.reasoning.backends.assembly import assemble
from spatialpin_ros.reasoning.backends.replay import ReplayMissError
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError
from spatialpin_ros.reasoning.protocol import Message
from spatialpin_ros.reasoning.recording import RecordingError, RecordingModel, call_key
from spatialpin_ros.reasoning.runs import compare_runs, load_run

ABILITIES = Abilities()
SCHEMA = {
    "title": "answer",
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
ASK = [Message("system", "s"), Message("user", "how many?")]
SCRIPT = {
    "objects": [{"objects": [seen("block", "red", "box", "middle left")]}],
    "coarse": [COARSE],
    "fine": [FINE],
    "answer": [ANSWER],
    "describe": [moves(("o4", "on", "o2")), moves(("o1", "on", "o2"))],
    "propose": [{"tasks": [proposal("o1", "o2"), proposal("o4", "o2")]}, {"tasks": [proposal("o5", "o1")]}],
    "parameters": [parameters((4.0, 9.0, 0.5), (2.0, 7.0, 0.5))],
}


def scene():
    return make_scene(*five_blocks().objects, intrinsics=CAMERA)


def recorded(folder, **settings):
    script = {**SCRIPT, **settings.pop("script", {})}
    return assemble("scripted", lambda: ScriptedModel(**script), {"record_folder": folder, **settings})


def png(shade=10, level=3):
    return cv2.imencode(".png", np.full((6, 8, 3), shade, np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, level])[
        1
    ].tobytes()


def lines(folder):
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def ask(folder, *replies, count=1):
    model = RecordingModel(ScriptedModel(answer=replies), folder, {})
    return [model.complete(ASK, [png()], SCHEMA) for _ in range(count)]


def test_a_run_is_played_back_to_the_same_results(tmp_path):
    made = recorded(tmp_path / "run")
    first = made.propose(scene(), ABILITIES, 2, image=photo())
    task = made.describe(scene(), ABILITIES, "stack the large cube", photo())
    answer = made.answer(scene(), "how tall is the green cylinder?", photo())
    made.close()
    again = create_backend("replay", folder=tmp_path / "run")
    replayed = again.propose(scene(), ABILITIES, 2, image=photo())
    strip = [{**each.to_dict(), "id": "", "backend": ""} for each in first.tasks]
    assert [{**each.to_dict(), "id": "", "backend": ""} for each in replayed.tasks] == strip
    assert [str(each) for each in replayed.rejected] == [str(each) for each in first.rejected]
    assert again.describe(scene(), ABILITIES, "stack the large cube", photo()).rationale == task.rationale
    assert again.answer(scene(), "how tall is the green cylinder?", photo()) == answer
    assert again.trace[-1].tokens == (100, 10)
    assert again.trace[-1].exchanges[0].reply.latency_s == 0.25


def test_a_call_is_saved_with_all_there_is(tmp_path):
    recorded(tmp_path, priors="full").answer(scene(), "how tall is the green cylinder?", photo())
    calls = lines(tmp_path)
    assert [call["turn"] for call in calls] == ["objects", "coarse", "fine", "answer"]
    last = calls[-1]
    assert last["messages"][0][0] == "system"
    assert "how tall" in last["messages"][1][1]
    assert last["reply"]["object"] == ANSWER
    assert last["reply"]["usage"] == {"prompt": 100, "completion": 10}
    assert last["latency_s"] == 0.25
    assert last["schema"]["title"] == "answer"
    stored = {path.name for path in (tmp_path / "images").iterdir()}
    assert stored == {name for call in calls for name in call["images"]}
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["model"] == "scripted"
    assert run["settings"]["priors"] == "full"


def test_replay_takes_the_recorded_settings(tmp_path):
    recorded(tmp_path, priors="coarse", suggest_parameters=False, tasks_per_object=2).answer(
        scene(), "how tall?", photo()
    )
    again = create_backend("replay", folder=tmp_path)
    assert str(again.priors) == "coarse"
    assert (again.suggest_parameters, again.tasks_per_object) == (False, 2)
    assert again.answer(scene(), "how tall?", photo()).value == 0.09
    assert str(create_backend("replay", folder=tmp_path, priors="none").priors) == "none"


def test_the_key_is_of_pixels_not_of_files_and_of_every_part():
    key = call_key("m", ASK, [png(level=1)], SCHEMA)
    assert key == call_key("m", ASK, [png(level=9)], dict(reversed(SCHEMA.items())))
    others = {
        call_key("n", ASK, [png()], SCHEMA),
        call_key("m", ASK[:1], [png()], SCHEMA),
        call_key("m", ASK, [png(11)], SCHEMA),
        call_key("m", ASK, [], SCHEMA),
        call_key("m", ASK, [png()], {**SCHEMA, "title": "other"}),
        call_key("m", [ASK[0], Message("assistant", "how many?")], [png()], SCHEMA),
    }
    assert len(others) == 6
    assert key not in others


def test_a_miss_names_the_nearest_turn_and_what_differs(tmp_path):
    made = recorded(tmp_path, priors="direct")
    made.answer(scene(), "how tall is the green cylinder?")
    made.answer(scene(), "how wide is the blue box?")
    again = create_backend("replay", folder=tmp_path)
    with pytest.raises(ReplayMissError, match="how wide is the red box") as caught:
        again.answer(scene(), "how wide is the red box?")
    assert caught.value.nearest in (1, 2)
    assert caught.value.kind == "not_recorded"
    assert "turn 'answer'" in str(caught.value)
    with pytest.raises(ReplayMissError, match="nearest is call 1, turn 'answer'"):
        again.describe(scene(), ABILITIES, "stack them")
    with pytest.raises(ReplayMissError, match="images"):
        again.answer(scene(), "how tall is the green cylinder?", photo())


def test_an_empty_run_has_nothing_to_replay(tmp_path):
    recorded(tmp_path).close()
    with pytest.raises(ReplayMissError, match="holds no calls"):
        create_backend("replay", folder=tmp_path, priors="none").answer(scene(), "how tall?")


def test_a_changed_scene_is_a_miss(tmp_path):
    recorded(tmp_path, priors="direct").answer(scene(), "how tall?")
    moved = make_scene(make_object("o1", at=(0.6, 0.1)), *scene().objects[1:])
    with pytest.raises(ReplayMissError, match="prompt"):
        create_backend("replay", folder=tmp_path).answer(moved, "how tall?")


def test_errors_and_bad_replies_are_played_back_as_they_were(tmp_path):
    with pytest.raises(ReplyFormatError):
        ask(tmp_path / "a", "not json")
    with pytest.raises(ModelError):
        ask(tmp_path / "b", ModelError("too slow", "timeout"))
    for name, kind, error in (("a", "invalid", ReplyFormatError), ("b", "timeout", ModelError)):
        model = create_backend("replay", folder=tmp_path / name).model
        with pytest.raises(error) as caught:
            model.complete(ASK, [png()], SCHEMA)
        assert caught.value.kind == kind
    assert lines(tmp_path / "a")[0]["error"]["raw"] == "not json"


def test_a_prompt_asked_twice_gets_both_replies_in_order_then_the_last(tmp_path):
    ask(tmp_path, {"n": 1}, {"n": 2}, count=2)
    model = create_backend("replay", folder=tmp_path).model
    assert [model.complete(ASK, [png()], SCHEMA).object["n"] for _ in range(3)] == [1, 2, 2]


def test_a_recording_is_continued_and_never_mixed_with_another_models(tmp_path):
    ask(tmp_path, {"n": 1})
    ask(tmp_path, {"n": 2})
    assert [call["number"] for call in lines(tmp_path)] == [1, 2]
    other = ScriptedModel(answer=[{"n": 1}])
    other.name = "other"
    with pytest.raises(RecordingError, match="another folder"):
        RecordingModel(other, tmp_path, {})


def change(document, path, value):
    for part in path[:-1]:
        document = document[part]
    document[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("reply", "object", "n"), 7),
        (("reply", "raw"), '{"n": 7}'),
        (("messages", 1, 1), "how few?"),
        (("key",), "0" * 64),
        (("latency_s",), 0.0),
        (("schema", "title"), "coarse"),
    ],
)
def test_a_changed_line_is_refused(tmp_path, path, value):
    ask(tmp_path, {"n": 1}, {"n": 2}, count=2)
    documents = lines(tmp_path)
    change(documents[1], path, value)
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    with pytest.raises(RecordingError, match="line 2 was changed"):
        create_backend("replay", folder=tmp_path)


def test_damage_is_named_with_its_place(tmp_path):
    ask(tmp_path, {"n": 1})
    calls, image = tmp_path / "calls.jsonl", next((tmp_path / "images").iterdir())
    good, kept = calls.read_bytes(), image.read_bytes()
    calls.write_bytes(b"{broken\n" + good)
    with pytest.raises(RecordingError, match="line 1 is damaged"):
        load_run(tmp_path)
    calls.write_bytes(b'{"format": 2}\n')
    with pytest.raises(RecordingError, match="expected 1"):
        load_run(tmp_path)
    calls.write_bytes(good)
    image.write_bytes(png(99))
    with pytest.raises(RecordingError, match="pixels"):
        load_run(tmp_path)
    image.unlink()
    with pytest.raises(RecordingError, match="cannot be read"):
        load_run(tmp_path)
    image.write_bytes(kept)
    assert len(load_run(tmp_path).calls) == 1
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(RecordingError, match="format 1"):
        load_run(tmp_path)
    with pytest.raises(BackendError, match="not a recorded run"):
        create_backend("replay", folder=tmp_path / "nowhere")


def test_half_a_line_left_by_a_crash_is_ignored_and_cut_off(tmp_path):
    ask(tmp_path, {"n": 1})
    calls = tmp_path / "calls.jsonl"
    calls.write_bytes(calls.read_bytes() + b'{"format": 1, "num')
    assert len(load_run(tmp_path).calls) == 1
    ask(tmp_path, {"n": 2})
    assert [call["number"] for call in lines(tmp_path)] == [1, 2]
    assert len(load_run(tmp_path).calls) == 2


def test_a_full_disk_is_named_and_leaves_only_whole_lines(tmp_path):
    ask(tmp_path, {"n": 1})
    calls = tmp_path / "calls.jsonl"
    before = calls.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    model = RecordingModel(ScriptedModel(answer=[{"n": 2}]), tmp_path, {})
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 200, limits[1]))
    try:
        with pytest.raises(RecordingError, match="cannot record into"):
            model.complete(ASK, [png()], SCHEMA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert calls.read_bytes() == before
    assert model.complete(ASK, [png()], SCHEMA).object == {"n": 2}
    assert [call["number"] for call in lines(tmp_path)] == [1, 2]


def test_a_full_disk_while_an_image_is_written(tmp_path, monkeypatch):
    model = RecordingModel(ScriptedModel(answer=[{"n": 2}]), tmp_path, {})

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="No space left"):
        model.complete(ASK, [png()], SCHEMA)
    assert list((tmp_path / "images").iterdir()) == []
    assert not (tmp_path / "calls.jsonl").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordingError, match="cannot record"):
        recorded(tmp_path / "file" / "run")


def test_keys_are_never_in_a_recording(tmp_path, monkeypatch):
    key = 'sk-very"secret-0123'
    monkeypatch.setenv("SOME_API_KEY", key)
    leak = ModelError(f"the server said {key}", "server")
    model = RecordingModel(ScriptedModel(answer=[leak, {"n": 1}]), tmp_path, {"note": key})
    with pytest.raises(ModelError):
        model.complete([Message("user", f"my key is {key}")], [], SCHEMA)
    model.complete([Message("user", f"my key is {key}")], [], SCHEMA)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"secret-0123" not in written
    assert written.count(b"***") == 4
    assert len(load_run(tmp_path).calls) == 2


def test_equal_runs_compare_equal(tmp_path):
    for name in "ab":
        recorded(tmp_path / name, priors="direct").answer(scene(), "how tall?")
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found.equal
    assert (found.same, found.prompt_tokens, found.latency_s) == (1, (100, 100), (0.25, 0.25))


def test_runs_are_compared_call_by_call(tmp_path):
    recorded(tmp_path / "a", priors="direct").answer(scene(), "how tall?")
    other = {**ANSWER, "value": 0.1}
    recorded(tmp_path / "b", priors="direct", script={"answer": [other]}).answer(scene(), "how tall?")
    (difference,) = compare_runs(tmp_path / "a", tmp_path / "b").differences
    assert difference.what == ("reply.value: 0.09 became 0.1",)
    recorded(tmp_path / "c", priors="coarse").answer(scene(), "how wide?", photo())
    found = compare_runs(tmp_path / "a", tmp_path / "c")
    assert found.only_b == ("objects", "coarse")
    assert found.only_a == ()
    (difference,) = found.differences
    assert (difference.turn, difference.number_a, difference.number_b) == ("answer", 1, 3)
    assert difference.what[0].startswith("prompt: ")
    assert any("images: 0 became 1" in what for what in difference.what)
    assert not found.equal
