"""Kafka: connections, topics, partitions; aiokafka is known only here and in the worker."""
