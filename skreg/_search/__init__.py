"""scikit-learn's searches, over networks that are trained together."""
