"""
One module per contender, each run as a process of its own.

They share `job` and `checksum` alone: some run on other libraries than the service.
"""
