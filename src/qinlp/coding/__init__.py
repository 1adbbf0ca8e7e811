"""Vectors to codings: heads, calibration, cold start, evaluation."""
