"""A person in pixels: picture, detection and pose estimation, matting, poses and masks given by hand."""
