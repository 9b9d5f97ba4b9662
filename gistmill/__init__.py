"""Public interface of Gistmill."""
