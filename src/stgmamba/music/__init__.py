"""A song in: decoding, features, beats, and the built-in demo song."""
