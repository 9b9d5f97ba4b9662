"""Data at rest (tables) and in flight (messages and queue names); imports no other package of Gistmill."""
