"""How changes leave: declared Debezium connectors in Kafka Connect, planned and applied."""
