"""The fakes: a broker, a back-end and a trainer in memory, for tests and first steps."""
