"""
A job as a trace: what took how long, for a collector that speaks OTLP over HTTP.

Modules are imported one by one: a job that nobody traces needs nothing but the
settings, and nothing of OpenTelemetry.
"""
