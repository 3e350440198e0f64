"""Stage 1 judged: metrics on skeletons, baselines, reports."""
