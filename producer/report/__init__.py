"""Report of a batch as one self-contained HTML page."""
