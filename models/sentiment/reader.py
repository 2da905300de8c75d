"""A network that reads a text word by word, and sees each word with those around it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .embedding import BagEmbedding
from .text import WordCache, pieces

MAX_WORDS = 128
"""A longer text is read so far."""
EMBEDDING_SIZE, STATE_SIZE, HIDDEN_SIZE = 64, 64, 64
WINDOWS = (1, 3, 5)  # words that a convolution sees at once
DROPPED_PIECES = 0.2
DROPPED_WORDS = 0.1
DROPPED_UNITS = 0.3


class Reader(nn.Module):
    """Maps n texts to hidden activations (n, 64) and votes (n, 1), -1 to 1."""

    votes = 1

    def __init__(self) -> None:
        super().__init__()
        self._cache = WordCache()
        self.embedding = BagEmbedding(EMBEDDING_SIZE, spread=0.02, dropped=DROPPED_PIECES)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(EMBEDDING_SIZE, STATE_SIZE, window, padding=window // 2) for window in WINDOWS
        )
        states_size = STATE_SIZE * len(WINDOWS)
        self.attention = nn.Linear(states_size, 1)
        self.hidden = nn.Linear(2 * states_size + EMBEDDING_SIZE, HIDDEN_SIZE)
        self.vote = nn.Linear(HIDDEN_SIZE, 1)

    def learn_rarity(self, texts: Sequence[str]) -> None:
        """What is in many texts will weigh less."""
        self.embedding.learn_rarity(
            pieces([text], self._cache, max_words=MAX_WORDS).ids for text in texts
        )

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        words, present = self._words(texts)
        channels = words.transpose(1, 2)
        states = torch.relu(torch.cat([layer(channels) for layer in self.convolutions], dim=1))
        states, absent = states.transpose(1, 2), ~present
        attention = self.attention(states).masked_fill(absent, -torch.inf).softmax(dim=1)
        seen = [
            states.masked_fill(absent, -torch.inf).amax(dim=1),
            (attention * states).sum(dim=1),
            words.sum(dim=1) / present.sum(dim=1).sqrt(),
        ]
        mixed = functional.dropout(torch.cat(seen, dim=1), DROPPED_UNITS, self.training)
        hidden = torch.relu(self.hidden(mixed))
        return hidden, torch.tanh(self.vote(hidden))

    def _words(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(n, longest, 64) the words' vectors, and (n, longest, 1) whether there is a word.

        Behind the end of a text stand zeros, which is what a convolution sees behind the longest.
        """
        ids, sizes, counts = pieces(texts, self._cache, max_words=MAX_WORDS)
        vectors = functional.dropout(self.embedding(ids, sizes), DROPPED_UNITS, self.training)
        heard = functional.dropout(vectors.new_ones(len(sizes), 1), DROPPED_WORDS, self.training)
        present = np.arange(counts.max()) < counts[:, None]
        words = vectors.new_zeros(present.size, EMBEDDING_SIZE)
        words[torch.from_numpy(np.flatnonzero(present))] = vectors * heard
        return words.view(*present.shape, -1), torch.from_numpy(present[:, :, None]).to(
            words.device
        )
