"""Evaluation of stage 2: metrics on frames, baselines, reports."""
