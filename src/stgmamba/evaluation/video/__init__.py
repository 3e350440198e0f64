"""Stage 2 judged: metrics on frames, baselines, reports."""
