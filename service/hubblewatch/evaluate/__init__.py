"""Judging detection on labelled recordings: each system over the same lines, event by event."""
