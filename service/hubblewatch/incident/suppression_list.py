"""The YAML list of suppressions: read strictly, so that a slip never hides more than was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

import yaml

from hubblewatch.errors import ConfigurationError
from hubblewatch.incident.suppressions import (
    NEVER_EXPIRES,
    DailyRange,
    Suppression,
    Suppressions,
)

MAX_CHARACTERS = 1 << 20
"""Longer than any list that people keep."""

_DETECTOR_FIELDS = ("detector", "namespace", "workload", "peer")
_REQUIRED = ("name", "expires", "owner", "reason")
_FIELDS = (*_REQUIRED, *_DETECTOR_FIELDS, "port", "time", "weekdays", "from", "until")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 86_400
_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class _WrongValue(ValueError):
    """What a value is not, and what it should be."""


def parse_suppressions(text: str, source: str = "suppressions") -> Suppressions:
    """Read the list; ``source`` names it in messages.

    Raises ConfigurationError with one line for each mistake: where, what, and what would be right.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigurationError(f"{source}: longer than {MAX_CHARACTERS:,} characters")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(f"{source}{line}: no valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: no valid YAML: nested too deeply") from None
    return Suppressions(_entries(root, source))


def _entries(root: yaml.Node | None, source: str) -> list[Suppression]:
    if isinstance(root, yaml.MappingNode) and len(root.value) == 1:
        key, value = root.value[0]
        root = value if key.value == "suppressions" else root
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value in ("", "null", "~")):
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise ConfigurationError(
            f"{source}: must be a list of entries, each beginning with '- name: …'"
        )
    entries: list[Suppression] = []
    mistakes: list[str] = []
    names: set[str] = set()
    for number, node in enumerate(root.value, 1):
        reader = _EntryReader(node, number)
        entry = reader.read()
        if entry is not None and entry.name in names:
            reader.complain(node, f"the name {entry.name!r} is taken; give each entry its own")
        mistakes += reader.mistakes
        if entry is not None:
            names.add(entry.name)
            entries.append(entry)
    if mistakes:
        raise ConfigurationError("\n".join([f"{source} cannot be used", *mistakes]))
    return entries


class _EntryReader:
    """Reads one entry and gathers all that is wrong with it."""

    def __init__(self, node: yaml.Node, number: int) -> None:
        self.mistakes: list[str] = []
        self._node = node
        self._title = f"entry {number}"
        self._fields: dict[str, tuple[yaml.Node, Any]] = {}

    def complain(self, node: yaml.Node, text: str) -> None:
        """Note a mistake at a node."""
        self.mistakes.append(f"  line {node.start_mark.line + 1}, {self._title}: {text}")

    def read(self) -> Suppression | None:
        """Give the entry, or None after noting what is wrong with it."""
        if not isinstance(self._node, yaml.MappingNode):
            self.complain(self._node, "must be fields such as 'detector: port-scan'")
            return None
        for key, value in self._node.value:
            self._take(key, value)
        for name in _REQUIRED:
            if name not in self._fields:
                self.complain(self._node, _MISSING[name])
        if not any(name in self._fields for name in (*_DETECTOR_FIELDS, "port")):
            self.complain(
                self._node,
                "would hide everything; name a detector, namespace, workload, peer or port "
                "('detector: \"*\"' if you mean it)",
            )
        if "weekdays" in self._fields and "time" not in self._fields:
            self.complain(self._node, "weekdays need a time, such as 'time: 00:00-24:00'")
        entry = Suppression(
            name=self._value("name", _name, ""),
            owner=self._value("owner", _text, ""),
            reason=self._value("reason", _text, ""),
            expires=self._value("expires", _expiry, 0),
            detector=self._value("detector", _text, ""),
            namespace=self._value("namespace", _text, ""),
            workload=self._value("workload", _text, ""),
            peer=self._value("peer", _text, ""),
            ports=self._value("port", _ports, frozenset()),
            daily=self._daily(),
            start=self._value("from", _instant, None),
            end=self._value("until", _instant, None),
        )
        if entry.start is not None and entry.end is not None and entry.start >= entry.end:
            self.complain(self._fields["until"][0], "until must be later than from")
        return None if self.mistakes else entry

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        name = str(key.value)
        if name not in _FIELDS:
            near = get_close_matches(name, _FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FIELDS)}"
            self.complain(key, f"{name!r} is no field; {hint}")
        elif name in self._fields:
            self.complain(key, f"{name} is given twice")
        else:
            self._fields[name] = value, _plain(value)
            if name == "name" and isinstance(value, yaml.ScalarNode):
                self._title = f"entry {value.value!r}"

    def _value(self, name: str, convert: Callable[[Any], Any], missing: Any) -> Any:
        if name not in self._fields:
            return missing
        node, value = self._fields[name]
        try:
            return convert(value)
        except _WrongValue as error:
            self.complain(node, f"{name} {error}")
            return missing

    def _daily(self) -> DailyRange | None:
        hours = self._value("time", _hours, None)
        weekdays = self._value("weekdays", _weekdays, frozenset())
        return None if hours is None else DailyRange(hours[0], hours[1], weekdays)


_MISSING = {
    "name": "has no name; hits are counted under it",
    "expires": "has no expires; give a date such as 2026-12-31, or 'never' if you are sure",
    "owner": "has no owner; say who can be asked about it",
    "reason": "has no reason; say why this is no alert",
}


def _plain(node: yaml.Node) -> Any:
    """Give scalars and lists of scalars as YAML means them; None for anything deeper."""
    if isinstance(node, yaml.ScalarNode):
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            return None
    if isinstance(node, yaml.SequenceNode):
        return [_plain(element) for element in node.value if isinstance(element, yaml.ScalarNode)]
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongValue('must be a text that is not empty; put numbers in quotes, as in "443"')
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _WrongValue("must be at most 63 letters, digits, '.', '_' and '-'")
    return value


def _ports(value: Any) -> frozenset[int]:
    ports = value if isinstance(value, list) else [value]
    for port in ports:
        if type(port) is not int or not 1 <= port <= 65_535:
            raise _WrongValue("must be a port of 1 to 65535, or a list of such")
    if not ports:
        raise _WrongValue("names no port")
    return frozenset(ports)


def _hours(value: Any) -> tuple[int, int]:
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _WrongValue("must be a UTC range such as 02:00-04:00")
    hours = [int(part) for part in match.groups()]
    begin, end = hours[0] * 3_600 + hours[1] * 60, hours[2] * 3_600 + hours[3] * 60
    if begin == end or end > 86_400:
        raise _WrongValue("must begin and end at different times, at most at 24:00")
    return begin, end


def _weekdays(value: Any) -> frozenset[int]:
    days = value if isinstance(value, list) else [value]
    if not days or not all(isinstance(day, str) and day.lower() in _DAYS for day in days):
        raise _WrongValue(f"must be a list of {', '.join(_DAYS)}")
    return frozenset(_DAYS.index(day.lower()) for day in days)


def _instant(value: Any) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        return int(value.timestamp())
    if isinstance(value, date):
        return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp())
    raise _WrongValue("must be a date such as 2026-12-31 or a time such as 2026-12-31T18:00:00Z")


def _expiry(value: Any) -> int:
    if value == "never":
        return NEVER_EXPIRES
    if isinstance(value, date) and not isinstance(value, datetime):
        return _instant(value) + _DAY  # a day is meant as a whole
    try:
        return _instant(value)
    except _WrongValue as error:
        raise _WrongValue(f"{error}, or 'never'") from None
