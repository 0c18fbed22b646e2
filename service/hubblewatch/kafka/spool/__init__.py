"""Records that wait on disk while Kafka is away: bounded, in order, and found again at a start."""
