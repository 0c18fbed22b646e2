"""What the watch remembers over a restart, in one SQLite file."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from hubblewatch.errors import ConfigurationError
from hubblewatch.state import Record, encode_key

APPLICATION_ID = 0x68_77_73_31
"""Marks the file as ours, as SQLite provides for it."""

LAYOUT = 1
LOCK_SECONDS = 2.0
_ABOUT = encode_key("about")

_log = logging.getLogger(__name__)


class About(Struct, frozen=True):
    """What the windows of a state belong to; another cluster's or size's would make no sense."""

    cluster: str
    window_seconds: int


class StateFile:
    """One table of keys and values, held by one process; each closing is one transaction.

    Opening raises ConfigurationError where the file cannot be used. A write that fails later is
    logged and counted in ``failures``, and goes along with the next one, so that what is on disk is
    always the state after one closing.
    """

    def __init__(self, path: Path, about: About) -> None:
        self.path = path
        self.failures = 0
        self._pending: dict[bytes, bytes | None] = {}
        try:
            self._connection = sqlite3.connect(
                path,
                timeout=LOCK_SECONDS,
                isolation_level=None,
                # Whoever opens it may hand it to the thread that writes; two at once never do.
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._open(about)
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from None
        except ConfigurationError:
            self._connection.close()
            raise

    def records(self) -> list[Record]:
        """Give all that is remembered; raise ConfigurationError where it cannot be read."""
        try:
            found = self._connection.execute("SELECT key, value FROM state").fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return [(bytes(key), bytes(value)) for key, value in found if bytes(key) != _ABOUT]

    def commit(self, records: Iterable[Record]) -> bool:
        """Write the records of a closing, all or none; give whether they are on disk."""
        self._pending.update(records)
        try:
            self._write(self._pending)
        except sqlite3.Error as error:
            self.failures += 1
            _log.error("%s cannot be written, next try with the next window: %s", self.path, error)
            return False
        self._pending.clear()
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, about: About) -> None:
        run = self._connection.execute
        # Held until the end: two that write to one state would forget what the other learnt.
        run("PRAGMA locking_mode = EXCLUSIVE")
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = run("PRAGMA application_id").fetchone()[0]
        layout = run("PRAGMA user_version").fetchone()[0]
        if tables and application != APPLICATION_ID:
            raise ConfigurationError(
                f"--state {self.path} is a database of something else; name another file"
            )
        if layout > LAYOUT:
            raise ConfigurationError(
                f"--state {self.path} was written by a newer hubblewatch; use that, or another file"
            )
        run("PRAGMA journal_mode = WAL")
        # After a loss of power the last windows may be missing, never a part of one.
        run("PRAGMA synchronous = NORMAL")
        run("BEGIN IMMEDIATE")
        run(f"PRAGMA application_id = {APPLICATION_ID}")
        run(f"PRAGMA user_version = {LAYOUT}")
        run("CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
        found = run("SELECT value FROM state WHERE key = ?", (_ABOUT,)).fetchone()
        run("INSERT OR IGNORE INTO state VALUES (?, ?)", (_ABOUT, msgspec.msgpack.encode(about)))
        run("COMMIT")
        if found is not None:
            self._compare(found[0], about)
        verdict = run("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _compare(self, value: bytes, about: About) -> None:
        try:
            written = msgspec.msgpack.decode(value, type=About)
        except msgspec.MsgspecError as error:
            raise sqlite3.DatabaseError(f"unreadable entry: {error}") from None
        if written != about:
            raise ConfigurationError(
                f"--state {self.path} is of cluster {written.cluster!r} with windows of "
                f"{written.window_seconds} s, the settings say {about.cluster!r} and "
                f"{about.window_seconds} s; name another file"
            )

    def _write(self, records: dict[bytes, bytes | None]) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            for key, value in records.items():
                if value is None:
                    run("DELETE FROM state WHERE key = ?", (key,))
                else:
                    run("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
            run("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def _unusable(self, error: sqlite3.Error) -> ConfigurationError:
        if "locked" in str(error):
            return ConfigurationError(
                f"--state {self.path} is in use by another process; each needs its own"
            )
        return ConfigurationError(
            f"--state {self.path} cannot be used: {error}; name another file, or move this one "
            "away to begin without a memory"
        )
