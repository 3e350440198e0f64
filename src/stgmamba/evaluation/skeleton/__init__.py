"""Evaluation of stage 1: metrics on skeletons, baselines, reports."""
