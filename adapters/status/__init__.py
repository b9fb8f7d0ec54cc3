"""
A job's status while it runs, over HTTP: a page, two probes, and metrics.

Modules are imported one by one: most jobs need nothing but the settings.
"""
