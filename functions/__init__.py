"""Lambda entry points, one folder per role."""
