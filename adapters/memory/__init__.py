"""The fakes: broker, back-end and trainer in memory, for tests and first steps."""
