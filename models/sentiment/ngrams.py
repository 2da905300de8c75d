"""A network that sees which words, word pairs and letter groups a text has, not where."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .embedding import BagEmbedding
from .text import WordCache, bags

VOTES = 4
"""Small networks side by side, each with its own part of the embeddings and the hidden layer."""
EMBEDDING_SIZE, HIDDEN_SIZE = 32, 64
DROPPED_ENTRIES = 0.3
DROPPED_UNITS = 0.2


class ParallelLinear(nn.Module):
    """A linear layer for each of the networks, over its own part of the n rows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        shape = VOTES, inputs // VOTES, outputs // VOTES
        self.weight = nn.Parameter(torch.randn(shape) * (3 * shape[1]) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(VOTES, 1, shape[2]))

    def forward(self, rows: Tensor) -> Tensor:
        parts = rows.view(len(rows), VOTES, -1).transpose(0, 1)
        return torch.baddbmm(self.bias, parts, self.weight).transpose(0, 1).flatten(1)


class NGrams(nn.Module):
    """Maps n texts to hidden activations (n, 64) and votes (n, 4), -1 to 1."""

    votes = VOTES

    def __init__(self) -> None:
        super().__init__()
        self._cache = WordCache()
        # Near zero, so that what training never met says nothing.
        self.embedding = BagEmbedding(EMBEDDING_SIZE, spread=0.001, dropped=DROPPED_ENTRIES)
        self.hidden = ParallelLinear(EMBEDDING_SIZE, HIDDEN_SIZE)
        self.vote = ParallelLinear(HIDDEN_SIZE, VOTES)

    def learn_rarity(self, texts: Sequence[str]) -> None:
        """What is in many texts will weigh less."""
        self.embedding.learn_rarity(bags([text], self._cache).ids for text in texts)

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        words, letters = self.embedding(*bags(texts, self._cache)).chunk(2)
        mixed = functional.dropout(words + letters, DROPPED_UNITS, self.training)
        hidden = torch.relu(self.hidden(mixed))
        return hidden, torch.tanh(self.vote(hidden))
