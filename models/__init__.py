"""Data at rest (tables) and in flight (queue and task names); imports nothing else of Gistmill."""
