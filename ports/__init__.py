"""The job's needs, one protocol each."""

from ports.control_source import ControlSource
from ports.decoder import Decoder, DecoderFactory
from ports.encoder import Encoder
from ports.example_source import ExampleSource
from ports.journal import Checkpoint, Journal, Run
from ports.labeller import Choice, Labeller
from ports.live_stream import Followed, LiveStream
from ports.model_reader import ModelPart, ModelReader
from ports.model_repository import ModelRepository
from ports.publisher import Publisher
from ports.rejected_records import RejectedRecords
from ports.result_sink import ResultSink
from ports.sampler import Sampler
from ports.spool import Spool, SpoolFactory
from ports.storage import Room, Storage
from ports.stream_source import StreamSource
from ports.trainer import (
    Checkpoints,
    Dataset,
    EpochListener,
    StepListener,
    TrainableModel,
    Trainer,
)

__all__ = [
    "Checkpoint",
    "Checkpoints",
    "Choice",
    "ControlSource",
    "Dataset",
    "Decoder",
    "DecoderFactory",
    "Encoder",
    "EpochListener",
    "ExampleSource",
    "Followed",
    "Journal",
    "Labeller",
    "LiveStream",
    "ModelPart",
    "ModelReader",
    "ModelRepository",
    "Publisher",
    "RejectedRecords",
    "ResultSink",
    "Room",
    "Run",
    "Sampler",
    "Spool",
    "SpoolFactory",
    "StepListener",
    "Storage",
    "StreamSource",
    "TrainableModel",
    "Trainer",
]
