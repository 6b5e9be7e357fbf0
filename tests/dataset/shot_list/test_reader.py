"""Lists of shots: what is read, what is listed with its error, what refuses the whole list."""

from __future__ import annotations

import json

import pytest

from tests.dataset.conftest import shot
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.dataset.shot_list.reader import read_shots


@pytest.fixture
def write(tmp_path):
    def write(content, name="shots.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_shots_keep_the_order_of_the_list(write):
    listed = read_shots(write([shot("b"), shot("a"), shot("..")]))
    assert [entry.id for entry in listed] == ["b", "a", ".."]
    assert [entry.shot().id for entry in listed] == ["b", "a", ".."]


def test_json_lines_are_shots_or_rows_with_a_shot(write):
    lines = [json.dumps({"file_name": "x.png", "shot": shot("a")}), "", json.dumps(shot("b"))]
    lines.append(json.dumps({"caption": "line\u2028break", "shot": shot("c")}, ensure_ascii=False))
    listed = read_shots(write("\n".join(lines).encode(), "metadata.jsonl"))
    assert [entry.shot().id for entry in listed] == ["a", "b", "c"]


def test_a_malformed_shot_is_listed_and_says_what_is_wrong(write):
    good, small, empty = read_shots(write([shot("a"), shot("b", size=[0, 10]), {"id": "c"}]))
    assert good.shot().id == "a" and (good.avatar, empty.avatar) == (shot("a")["avatar"], "")
    with pytest.raises(VrmSynthError, match=r"shots\.json\[1\]: shot b: size\[0\].*got 0"):
        small.shot()
    with pytest.raises(VrmSynthError, match="missing key avatar"):
        empty.shot()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"shots\.json: not JSON; got Expecting value at line 1, column 1"),
        (b"[{]", r"shots\.json: not JSON; got .* at line 1, column 3"),
        (b"\xff\xfe[]", r"shots\.json: not UTF-8 text; got a bad byte at offset 0"),
        (b"[" * 100_000, r"shots\.json: not JSON"),
        (b"[NaN]", r"shots\.json: not JSON; got NaN"),
        (b"[" + b"9" * 10_000 + b"]", r"shots\.json: not JSON; got Exceeds the limit"),
        (b"{}", r"shots\.json: not a list of shots"),
        (b"[]", r"shots\.json: no shots"),
        (b"[1]", r"shots\.json\[0\]: no usable id; got 1"),
        ([shot("a"), {**shot("b"), "id": None}], r"shots\.json\[1\]: no usable id"),
        ([shot("a"), shot("b"), shot("a")], r"shots\.json\[2\]: a second shot of the same id; got a"),
        ([shot("../a")], r"shots\.json\[0\]: no usable id; got \.\./a"),
        ([shot("a/b")], "no usable id"),
        ([shot("a\\b")], "no usable id"),
        ([shot("")], "no usable id"),
        ([shot("a\n")], "no usable id"),
        ([shot("a\0")], "no usable id"),
        ([shot("é")], "no usable id"),
        ([shot("a" * 201)], "no usable id"),
    ],
)
def test_an_unusable_list_is_refused_in_one_line(write, content, message):
    with pytest.raises(VrmSynthError, match=message) as caught:
        read_shots(write(content))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            '{"id": "a", "avatar": "demo", "time": 1e999, "size": [8, 8], "camera": {"position": [0, 1, 3]}}',
            "time.*inf",
        ),
        (r'{"id": "a", "avatar": "demo", "expressions": {"\ud800": 1}}', "not Unicode text"),
    ],
)
def test_unusable_values_are_errors_of_their_shot(write, entry, message):
    bad, good = read_shots(write(f"[{entry}, {json.dumps(shot('b'))}]".encode()))
    with pytest.raises(VrmSynthError, match=rf"shots\.json\[0\]: .*{message}"):
        bad.shot()
    assert good.shot().id == "b"


def test_too_deeply_nested_entries_are_refused(write):
    (listed,) = read_shots(write(('[{"id": "a", "choices": ' + "[" * 900 + "]" * 900 + "}]").encode()))

    def deeper(frames: int) -> None:
        if frames:
            deeper(frames - 1)
        else:
            listed.shot()

    with pytest.raises(VrmSynthError, match=r"shots\.json\[0\]: not a shot; got maximum recursion depth"):
        deeper(200)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(VrmSynthError, match=r"none\.json: cannot be read: No such file"):
        read_shots(tmp_path / "none.json")
    with pytest.raises(VrmSynthError, match="cannot be read: Is a directory"):
        read_shots(tmp_path)
