"""What is usual for a subject: robust running estimates and bounded memory."""
