"""Genre: which kind of text this is, from its words and its typography."""

import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress

DOMAINS = {"movies": "movie_review", "amazon": "product_review", "tweets": "tweet"}
BUCKETS = 2**15
FEATURES = 24
BATCH_SIZE = 64
MIN_STEPS = 300
MIN_EPOCHS = 3

WORD = re.compile(r"\w{1,32}|[^\w\s]")
TYPOGRAPHY = tuple(
    re.compile(pattern)
    for pattern in (r"https?:", r"[@#]\w", r"[!?]{2}", r"[:;]-?[()/DPp]", r"[A-Z]{3}", r"\d")
)


class Network(nn.Module):
    """Maps hashed words to n feature vectors, and those to label logits."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(BUCKETS, FEATURES, mode="mean")
        self.labels = nn.Linear(FEATURES, len(DOMAINS))
        nn.init.normal_(self.embedding.weight, std=0.01)

    def forward(self, ids: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        features = self.embedding(ids, starts)
        return features, self.labels(functional.dropout(features, 0.2, self.training))


class Model(AbstractModel):
    """Learns the labels of examples, or else the domains of their ids; ratings do not matter."""

    labels = tuple(DOMAINS.values())
    feature_size = FEATURES

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._network = Network().eval().to(device)

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> Predictions:
        features, logits = self._network(*_bags(texts, self.device))
        return Predictions(logits.softmax(dim=1).cpu().numpy(), features.cpu().numpy())

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        torch.manual_seed(seed)
        self._network = Network().train().to(self.device)
        texts = [example.text for example in examples]
        targets = torch.tensor(
            [self.labels.index(self.truth(example)) for example in examples], device=self.device
        )
        epochs = max(MIN_EPOCHS, MIN_STEPS * BATCH_SIZE // len(texts))
        batches = [b for _ in range(epochs) for b in _shuffled(len(texts))]
        optimizer = torch.optim.AdamW(self._network.parameters(), 0.02, fused=True)
        for step, batch in enumerate(batches, start=1):
            _, logits = self._network(*_bags([texts[i] for i in batch.tolist()], self.device))
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(logits, targets[batch]))
            optimizer.step()
            progress(step / len(batches))
        self._network.eval()

    def truth(self, example: Example) -> str:
        return example.label or DOMAINS[example.domain]

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {name: tensor.cpu().numpy() for name, tensor in self._network.state_dict().items()}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        self._network.load_state_dict(tensors)


def _shuffled(count: int) -> Sequence[Tensor]:
    """The numbers below `count` in random order, in batches."""
    return torch.split(torch.randperm(count), BATCH_SIZE)


def _bags(texts: Sequence[str], device: str) -> tuple[Tensor, Tensor]:
    """The bucket numbers of all texts in a row, and where each text starts."""
    bags = [_ids(text) for text in texts]
    sizes = torch.tensor([len(bag) for bag in bags], device=device)
    ids = torch.tensor([i for bag in bags for i in bag], device=device)
    return ids, sizes.cumsum(0) - sizes


def _ids(text: str) -> list[int]:
    """Words are hashed into the buckets; the first ones say what the typography is like."""
    first = len(TYPOGRAPHY) + 1
    words = WORD.findall(text.lower())
    ids = [
        first + zlib.crc32(word.encode("utf-8", "replace")) % (BUCKETS - first) for word in words
    ]
    return [0, *ids, *(n for n, mark in enumerate(TYPOGRAPHY, start=1) if mark.search(text))]
