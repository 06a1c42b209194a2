"""Photo -> keypoints, and pair of photos -> matches."""
