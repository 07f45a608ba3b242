"""Displays of fitted networks and of searches."""
