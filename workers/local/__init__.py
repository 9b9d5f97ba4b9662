"""Everything on one machine: embedded Postgres and Valkey, workers and Flower under one supervisor."""
