"""Which files to follow is checked before any is read."""

import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import FollowSettings, load_settings


def test_files_come_from_the_settings_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(
        "export:\n  follow:\n    files: [/var/run/cilium/hubble/*.log]\n"
        "    position_file: /var/lib/hubblewatch/position.json\n"
    )
    follow = load_settings(path).export.follow
    assert follow.files == ("/var/run/cilium/hubble/*.log",)
    assert follow.begin == "oldest"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("files: [a.log, a.log]", "a.log is named more than once"),
        ("files: ['-']", "standard input cannot be followed"),
        ("files: [events.log.gz]", "is compressed; name the file that the agent writes"),
        ("begin: middle", "must be 'oldest' or 'newest'"),
        ("poll_seconds: 0", "must be greater than or equal to 0.05"),
        ("position: x", "did you mean export.follow.position_file"),
    ],
)
def test_what_is_wrong_is_named_with_its_field(tmp_path, field, told):
    path = tmp_path / "settings.yaml"
    path.write_text(f"export:\n  follow:\n    {field}\n")
    with pytest.raises(ConfigurationError) as refused:
        load_settings(path)
    assert told in str(refused.value)
    assert "export.follow." in str(refused.value)


def test_nothing_is_followed_by_default():
    assert FollowSettings().files == ()
