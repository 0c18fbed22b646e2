"""The alert record and what it tells: ids, reproduction command, encoding."""
