"""Evaluation of both stages: metrics, baselines, reports."""
