"""Reading and training side by side with others: ``make bench``."""
