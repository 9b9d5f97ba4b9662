"""Examination of an installation for ``gistmill doctor``: what answers, what fits, what is missing; imports no torch."""
