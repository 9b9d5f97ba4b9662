"""Single-machine cluster: embedded Postgres and Valkey, workers and Flower under one supervisor."""
