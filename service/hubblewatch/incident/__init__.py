"""Findings to incidents: opening, worsening, resolving, hiding effects, and suppressions."""
