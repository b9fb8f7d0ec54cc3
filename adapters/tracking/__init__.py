"""
Jobs as runs in MLflow.

The library is imported where it is needed, by the thread that sends: it takes a second
and a hundred megabytes, and most jobs are not tracked.
"""
