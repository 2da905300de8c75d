"""Sentiment by the words of a text and, beside them, by reading it in order."""

from . import ngrams, reader
from .network import Network
from .sentiment import SentimentModel


class Model(SentimentModel):
    """Closer to people than the n-grams alone, and slower."""

    feature_size = ngrams.HIDDEN_SIZE + reader.HIDDEN_SIZE
    epochs = 5
    learning_rate = 1.5e-3

    @staticmethod
    def new_network() -> Network:
        return Network(ngrams.NGrams(), reader.Reader())
