"""The service's log: lines for people or JSON lines, on standard error, without passwords."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

from hubblewatch.settings.log import LogSettings

_LOGIN_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_MASKED_NAME = r"(?i:password|passwd|secret|token)"
_SECRET_SETTING = re.compile(rf"({_MASKED_NAME}['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;)}}\]]+)")

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Write the log to ``stream`` (default: standard error), replacing what was set up before.

    Libraries are heard from warning on, and one level more when ours is debug.
    """
    line_handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    line_handler.setFormatter(JsonLine() if settings.format == "json" else TextLine())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    libraries = logging.INFO if level == logging.DEBUG else max(level, logging.WARNING)
    logging.basicConfig(handlers=[line_handler], level=libraries, force=True)
    logging.getLogger("hubblewatch").setLevel(level)
    logging.captureWarnings(True)


class TextLine(logging.Formatter):
    """``2026-01-31T09:00:00.123Z WARNING hubblewatch.worker: message key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, with its traceback below if it has one."""
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        # A name from a watched cluster must not begin a line of its own or command the terminal.
        message = "".join(
            char if char.isprintable() else repr(char)[1:-1]
            for char in f"{record.getMessage()}{extra}"
        )
        line = f"{_time(record)} {record.levelname} {record.name}: {message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


class JsonLine(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message`` and what was added."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON; values that are no JSON become text."""
        entry = {name: _masked(name, value) for name, value in _extra(record).items()}
        entry |= {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(
            entry, ensure_ascii=False, default=lambda value: without_secrets(str(value))
        )


def without_secrets(text: str) -> str:
    """Return ``text`` with logins in addresses and values of ``password=``-like names masked."""
    text = _LOGIN_IN_ADDRESS.sub("***", text)
    return _SECRET_SETTING.sub(r"\1***", text)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _masked(name: str, value: object) -> object:
    if re.search(_MASKED_NAME, name):
        return "***"
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {str(key): _masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", inner) for inner in value]
    return value


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
