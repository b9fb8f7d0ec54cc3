"""The platform's back-end: hands out the model, takes the result."""

from adapters.http.model_repository import HttpModelRepository
from adapters.http.result_sink import HttpResultSink
from adapters.http.settings import HttpSettings

__all__ = ["HttpModelRepository", "HttpResultSink", "HttpSettings"]
