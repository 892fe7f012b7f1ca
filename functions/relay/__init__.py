"""The relay: publishes the outbox entries of every service. Deployed once for each table with a stream."""
