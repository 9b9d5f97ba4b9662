"""Library of the client side: read sources, submit, watch, read results. Never imports torch or workers."""
