"""Hubble's lines to Kafka: read, route, pack, publish."""
