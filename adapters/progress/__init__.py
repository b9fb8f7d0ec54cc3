"""
How far a job is, for those who look on.

One module for each way to show it: `lines` in the log, `terminal` for people.  Whoever
chooses imports that one alone: a job that waits for days need not hold the other.
"""
