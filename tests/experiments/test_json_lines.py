"""A file of lines that was cut short goes on with whole lines."""

from pathlib import Path

from experiments.json_lines import append_line, whole_lines


def test_a_line_that_was_cut_short_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines.jsonl"
    assert whole_lines(path) == []
    append_line(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"a": 2')
    assert whole_lines(path) == [{"a": 1}]
    append_line(path, {"a": 3})
    assert whole_lines(path) == [{"a": 1}, {"a": 3}]
