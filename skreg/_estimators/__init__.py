"""What a user fits: the classifier, the regressor, and what they share."""
