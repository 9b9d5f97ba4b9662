"""Which weights does this worker serve: folders, their metadata and fingerprints, names and registration."""
