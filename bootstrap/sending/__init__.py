"""``streamfit send``: a data set to a topic, and its announcement."""
