"""The job's needs, one protocol each."""

from ports.control_source import ControlSource
from ports.decoder import Decoder, DecoderFactory
from ports.model_repository import ModelRepository
from ports.rejected_records import RejectedRecords
from ports.result_sink import ResultSink
from ports.spool import Spool, SpoolFactory
from ports.stream_source import StreamSource
from ports.trainer import Dataset, EpochListener, TrainableModel, Trainer

__all__ = [
    "ControlSource",
    "Dataset",
    "Decoder",
    "DecoderFactory",
    "EpochListener",
    "ModelRepository",
    "RejectedRecords",
    "ResultSink",
    "Spool",
    "SpoolFactory",
    "StreamSource",
    "TrainableModel",
    "Trainer",
]
