"""How a process reaches a server: addresses as people write them, and the login of a Kafka client."""
