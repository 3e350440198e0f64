"""What all training has in common: configuration, loop, checkpoints, weights files, adversarial losses."""
