"""From videos to data sets: what is in each video, clip by clip, with scores instead of decisions."""
