"""Hubble's lines, typed: from bytes to Flow, loss and node state."""
