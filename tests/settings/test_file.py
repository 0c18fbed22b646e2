from pathlib import Path

import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.file import MAX_FILE_BYTES, read_settings_file
from hubblewatch.settings.model import Settings


def complaint(path):
    with pytest.raises(ConfigurationError) as stopped:
        read_settings_file(path, Settings)
    return str(stopped.value)


@pytest.mark.parametrize("text", ["", "# nothing set\n", "---\n"])
def test_an_empty_file_sets_nothing(settings_file, text):
    assert read_settings_file(settings_file(text), Settings) == {}


def test_a_block_with_all_its_lines_commented_out_sets_nothing(settings_file):
    path = settings_file("window:\n  # size_seconds: 30\n")

    assert read_settings_file(path, Settings) == {"window": {}}


def test_hyphens_stand_for_underscores_in_names_of_fields(settings_file):
    path = settings_file("window: {size-seconds: 30}\n")

    assert read_settings_file(path, Settings) == {"window": {"size_seconds": 30}}


def test_unknown_names_are_left_as_they_were_written(settings_file):
    path = settings_file("no-such: {a-b: 1}\n")

    assert read_settings_file(path, Settings) == {"no-such": {"a-b": 1}}


def test_a_missing_file_is_named():
    assert complaint(Path("/nowhere/h.yaml")) == (
        "cannot read the settings file /nowhere/h.yaml: No such file or directory; check "
        "--config, or HUBBLEWATCH_CONFIG"
    )


def test_a_folder_is_no_settings_file(tmp_path):
    assert f"cannot read the settings file {tmp_path}" in complaint(tmp_path)


def test_broken_yaml_is_located_by_line_and_column(settings_file):
    path = settings_file("cluster: a\nwindow: [\n")

    assert f"{path} is not YAML: line 3, column 1" in complaint(path)


def test_bytes_that_are_no_text_are_not_yaml(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\x00\x01\xff")

    assert "is not YAML" in complaint(path)


def test_a_field_set_twice_is_refused(settings_file):
    path = settings_file("window: {size_seconds: 30}\nwindow: {lateness_seconds: 5}\n")

    assert "line 2, column 1: 'window' is set twice" in complaint(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kafka:\n  topic_prefix: a\n  topic-prefix: b\n", "'topic-prefix' is set twice"),
        (
            "detectors:\n  policy-denials: {}\n  policy_denials: {enabled: false}\n",
            "'policy_denials' is set twice",
        ),
    ],
)
def test_a_field_set_twice_in_two_spellings_is_refused(settings_file, text, line):
    shown = complaint(settings_file(text))

    assert f"line 3, column 3: {line}, before as" in shown


def test_a_merged_block_may_be_set_otherwise_in_the_other_spelling(settings_file):
    path = settings_file("window:\n  <<: {size_seconds: 30}\n  size-seconds: 60\n")

    assert read_settings_file(path, Settings) == {"window": {"size_seconds": 60}}


def test_yaml_tags_run_no_code(settings_file):
    path = settings_file("cluster: !!python/object/apply:os.getcwd []\n")

    assert "is not YAML" in complaint(path)


@pytest.mark.parametrize("text", ["- a\n", "only words\n"])
def test_a_file_without_names_is_refused(settings_file, text):
    assert "must hold 'name: value' lines" in complaint(settings_file(text))


def test_a_file_far_too_large_is_not_parsed(settings_file):
    path = settings_file("#" * (MAX_FILE_BYTES + 1))

    assert "is larger than" in complaint(path)
