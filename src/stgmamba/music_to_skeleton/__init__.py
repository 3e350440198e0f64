"""Stage 1: music in, a dancing skeleton out."""
