"""Event-time windows: watermark, completeness, and the exact counts of a closed window."""
