"""Reference pages that repeat the code: written by ``make docs``, compared with the code by ``make lint``."""
