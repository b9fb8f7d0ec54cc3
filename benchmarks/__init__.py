"""Reading streams side by side with others: ``make bench``."""
