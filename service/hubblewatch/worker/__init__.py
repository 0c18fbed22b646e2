"""The Faust worker: one pipeline per partition, closed windows in one Kafka transaction each."""
