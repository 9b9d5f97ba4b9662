"""Weights served by a worker: folders, metadata, fingerprints, names and registration."""
