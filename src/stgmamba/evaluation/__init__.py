"""Metrics, baselines to compare with, and the report."""
