"""Beats, downbeats and metre of a song: spectrogram, network, decoder, judge of octave and phase, training."""
