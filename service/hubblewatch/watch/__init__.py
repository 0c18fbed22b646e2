"""A live Hubble to alerts in one process, without Kafka; what is remembered is in one file."""
