"""Gistmill: what people import and run."""
