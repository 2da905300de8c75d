"""Sentiment by the words of a text and their letters; order counts only in pairs and negations."""

from . import ngrams
from .network import Network
from .sentiment import SentimentModel


class Model(SentimentModel):
    """Fast: some 20 microseconds for a text of a batch, on one core."""

    feature_size = ngrams.HIDDEN_SIZE
    epochs = 3
    learning_rate = 1.5e-3

    @staticmethod
    def new_network() -> Network:
        return Network(ngrams.NGrams())
