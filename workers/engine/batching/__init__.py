"""Continuous batching: the generation loop, its sizes, speculation and sampling."""
