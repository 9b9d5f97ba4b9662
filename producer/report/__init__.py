"""The report of a batch: one page with everything in it, to read anywhere and to send to someone."""
