"""Sentiment: how positive a text is, and the label that follows from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.abstract_model import AbstractModel, Example, Predictions, Progress

from .metrics import label_of, metrics_by_domain
from .network import HIDDEN_SIZE, NEUTRAL_BAND, Network
from .text import BUCKETS, WordCache, bags

BATCH_SIZE = 64
MIN_STEPS = 200
MIN_EPOCHS = 3
LEARNING_RATE = 2e-3
LABEL_LOSS_SHARE = 0.1
MAX_RATING = 4.0


class Model(AbstractModel):
    """The value is the mean human rating it expects, over 4: -1 most negative, 1 most positive.

    The label is positive above 0.05, negative below -0.05, and neutral between.
    """

    labels = ("negative", "neutral", "positive")
    feature_size = HIDDEN_SIZE
    has_value = True
    primary_metric = "pearson_r"

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._cache = WordCache()
        self._network = Network().eval()

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> Predictions:
        hidden, values = self._network(bags(texts, self._cache))
        scores = self._network.label_logits(values).softmax(dim=1)
        return Predictions(scores.numpy(), hidden.numpy(), values.numpy())

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        torch.manual_seed(seed)
        self._network = Network().train()
        texts = [example.text for example in examples]
        targets = torch.tensor([example.rating / MAX_RATING for example in examples])
        self._network.rarity.copy_(self._rarity(texts))
        epochs = max(MIN_EPOCHS, MIN_STEPS * BATCH_SIZE // len(texts))
        batches = [b for _ in range(epochs) for b in _shuffled(len(texts))]
        optimizer = torch.optim.AdamW(
            self._network.parameters(), LEARNING_RATE, weight_decay=1e-3, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, LEARNING_RATE, total_steps=len(batches), pct_start=0.2
        )
        for step, batch in enumerate(batches, start=1):
            loss = self._loss([texts[i] for i in batch.tolist()], targets[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            progress(step / len(batches))
        self._network.eval()

    def truth(self, example: Example) -> str:
        return label_of(example.rating / MAX_RATING)

    def eval(self, examples: Sequence[Example], predictions: Predictions) -> dict[str, float]:
        assert predictions.value is not None
        return super().eval(examples, predictions) | metrics_by_domain(examples, predictions.value)

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        self._network.load_state_dict(tensors)

    def _loss(self, texts: Sequence[str], targets: Tensor) -> Tensor:
        _, values = self._network(bags(texts, self._cache))
        labels = (targets > NEUTRAL_BAND).long() - (targets < -NEUTRAL_BAND).long() + 1
        label_loss = functional.cross_entropy(self._network.label_logits(values), labels)
        return functional.mse_loss(values, targets) + LABEL_LOSS_SHARE * label_loss

    def _rarity(self, texts: Sequence[str]) -> Tensor:
        """How much a bucket weighs: the smoothed inverse document frequency."""
        found = np.zeros(BUCKETS)
        for text in texts:
            found[np.unique(bags([text], self._cache).ids)] += 1
        return torch.from_numpy(np.log((1 + len(texts)) / (1 + found)) + 1).float()


def _shuffled(count: int) -> Sequence[Tensor]:
    """The numbers below `count` in random order, in batches."""
    return torch.split(torch.randperm(count), BATCH_SIZE)
