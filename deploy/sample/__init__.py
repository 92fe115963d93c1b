"""The bundled sample as services: rows to train on, and machines that report live to Kafka."""
