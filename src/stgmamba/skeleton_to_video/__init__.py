"""Stage 2: skeleton to video."""
