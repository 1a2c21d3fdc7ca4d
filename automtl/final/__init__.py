"""The model that goes out: one configuration, trained on all rows but those of test."""
