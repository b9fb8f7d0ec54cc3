"""The pages, and what makes those of them that nobody writes."""
