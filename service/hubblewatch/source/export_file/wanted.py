"""Which files to follow: those that are named, and those that patterns find."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from hubblewatch.errors import ConfigurationError
from hubblewatch.source.export_file.generation import is_rotated


class WantedFiles:
    """Absolute paths to follow. Raises ConfigurationError for one that is there but no good."""

    def __init__(self, names: Sequence[str]) -> None:
        self.named = [str(Path(one).absolute()) for one in names if not glob.has_magic(one)]
        """To be waited for if they are not there."""
        self._patterns = [str(Path(one).absolute()) for one in names if glob.has_magic(one)]
        for name in self.all():
            _check(Path(name))

    def all(self) -> list[str]:
        """Give the named ones, and those that the patterns find now; no rotated files."""
        found: set[str] = set()
        for pattern in self._patterns:
            for name in glob.iglob(pattern):  # noqa: PTH207 # Path.glob takes no absolute pattern
                path = Path(name)
                if not is_rotated(path.name) and not path.is_dir():
                    found.add(name)
        return [*self.named, *sorted(found.difference(self.named))]


def _check(path: Path) -> None:
    """Raise ConfigurationError for what waiting will not mend; a file may come later."""
    try:
        if path.is_dir():
            raise ConfigurationError(f"{path} is a directory; name the export file in it")
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{path} is no regular file; export it without --follow")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}; the agent writes it as root, so run as root "
            "or as a user that may read it"
        ) from None
