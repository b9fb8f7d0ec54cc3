"""The platform's back-end: hands out the model, takes the result."""

from adapters.http.model_repository import HttpChainRepository, HttpModelRepository
from adapters.http.result_sink import HttpChainSink, HttpResultSink
from adapters.http.settings import HttpChainSettings, HttpSettings

__all__ = [
    "HttpChainRepository",
    "HttpChainSettings",
    "HttpChainSink",
    "HttpModelRepository",
    "HttpResultSink",
    "HttpSettings",
]
