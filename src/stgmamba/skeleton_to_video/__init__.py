"""Stage 2: the person of a picture, moved by a dance."""
