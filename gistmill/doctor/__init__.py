"""Examination of an installation for ``gistmill doctor``: what answers, fits and is missing; imports no torch."""
