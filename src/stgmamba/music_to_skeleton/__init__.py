"""Stage 1: music to skeleton."""
