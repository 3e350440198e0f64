"""Evaluation of beat tracking: metrics, baselines, report."""
