"""Residual vector quantisation in float: codebooks that learn while a voice trains, or are clusters made once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.vocoder.config import CODES

DECAY = 0.99  # of the codebooks' moving averages
UNUSED = 0.02  # in clustering: a code with less than this share of an even one's use begins anew
REVIVE = 0.1  # a code with less than this share of an even one's use begins anew
BEAMS, BEAM_ROWS = 4, 4000  # of the search of codebooks that learn together; vectors that are searched at once
JOINT_MOST = 20_000  # vectors from which codebooks learn together, at most
FEWEST = 1.0  # uses of a code that moves


def kept(*shape: int) -> nn.Parameter:
    """Zeros without gradient, kept with a network's weights so that a run goes on exactly."""
    return nn.Parameter(torch.zeros(*shape), requires_grad=False)


class ResidualVectorQuantizer(nn.Module):
    """Residual vector quantisation (SoundStream, arXiv 2107.03312) with codebooks that are moving averages.

    `books` (quantisers, codes, latent), `counts` (quantisers, codes), `sums` as books.
    """

    def __init__(self, count: int, latent: int) -> None:
        super().__init__()
        self.frozen = False
        self.books = kept(count, CODES, latent)
        self.sums = kept(count, CODES, latent)
        self.counts = kept(count, CODES)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (..., quantisers) long and partial sums (quantisers + 1, ..., latent) of vectors (..., latent)."""
        left, total, tokens, sums = z.detach(), torch.zeros_like(z), [], [torch.zeros_like(z)]
        for book in self.books:
            token = self._nearest(left, book)
            chosen = F.embedding(token, book)
            left, total = left - chosen, total + chosen
            tokens.append(token)
            sums.append(total)
        return torch.stack(tokens, -1), torch.stack(sums)

    @torch.no_grad()
    def initialize(self, z: Tensor, draw: torch.Generator) -> None:
        """Every codebook begins as a cloud like what the ones before it leave of vectors (n, latent)."""
        if self.frozen:
            return
        left, even = z, len(z) / CODES
        for book, sums, counts in zip(self.books, self.sums, self.counts, strict=True):
            cloud = torch.randn(book.shape, generator=draw).to(z.device)
            book.copy_(left.mean(0) + left.std(0) * cloud)
            sums.copy_(book * even)
            counts.fill_(even)
            left = left - F.embedding(self._nearest(left, book), book)

    @torch.no_grad()
    def cluster(self, z: Tensor, shares: Tensor, rounds: int, draw: torch.Generator) -> None:
        """Every codebook becomes `rounds` of k-means of what the ones before it leave of vectors (n, latent).

        `shares` (n,): how much each vector counts. Codes that are hardly used begin anew.
        """
        left, even = z, shares.sum() / CODES
        for book, sums, counts in zip(self.books, self.sums, self.counts, strict=True):
            book.copy_(left[torch.multinomial(shares, CODES, replacement=True, generator=draw)])
            for _ in range(rounds):
                tokens = self._nearest(left, book)
                counts.zero_().index_add_(0, tokens, shares)
                sums.zero_().index_add_(0, tokens, left * shares[:, None])
                fresh = left[torch.multinomial(shares, CODES, replacement=True, generator=draw)]
                used = counts[:, None] > UNUSED * even
                book.copy_(torch.where(used, sums / counts.clamp_min(1e-9)[:, None], fresh))
            sums.copy_(book * even)
            counts.fill_(float(even))
            left = left - F.embedding(self._nearest(left, book), book)

    @torch.no_grad()
    def learn_together(self, z: Tensor, shares: Tensor, rounds: int) -> None:
        """Codebooks fit the sums that beams find of vectors (n, latent), with `shares` (n,), after `cluster`.

        In each of the `rounds` a beam search, as the codec's, says which codes a vector has; then each code moves to
        the mean of what the other codebooks leave to it. The first quarter of the codebooks learns by itself, then
        the second, then the others, so that any first few of them stay good.
        """
        z, shares = z[:JOINT_MOST], shares[:JOINT_MOST]
        count = len(self.books)
        ends = sorted({max(1, count // 4), max(1, count // 2), count})
        for first, end in zip([0, *ends], ends, strict=False):
            for _ in range(rounds):
                tokens = torch.cat([beam_search(part, self.books[:end]) for part in z.split(BEAM_ROWS)])
                self._fit_sums(z, tokens, shares, range(first, end))

    def _fit_sums(self, z: Tensor, tokens: Tensor, shares: Tensor, stages: range) -> None:
        """Moves the codes of `stages` to the means of what those of the others leave of z (n, latent)."""
        left = z - torch.stack([self.books[k][tokens[:, k]] for k in range(tokens.shape[1])]).sum(0)
        for k in [*stages, *stages]:
            book, own = self.books[k], tokens[:, k]
            target = (left + book[own]) * shares[:, None]
            uses = shares.new_zeros(CODES).index_add_(0, own, shares)
            means = torch.zeros_like(book).index_add_(0, own, target) / uses.clamp_min(1e-9)[:, None]
            moved = torch.where(uses[:, None] > FEWEST, means, book)
            left = left + book[own] - moved[own]
            book.copy_(moved)
            self.sums[k].copy_(book * self.counts[k][:, None])

    @staticmethod
    def _nearest(left: Tensor, book: Tensor) -> Tensor:
        return ((book * book).sum(1) - 2 * (left @ book.t())).argmin(-1)

    @torch.no_grad()
    def update(self, z: Tensor, tokens: Tensor, sums: Tensor, draw: torch.Generator) -> None:
        """Moves the codebooks towards the vectors (n, latent) that chose them; seldom used codes begin anew."""
        if self.frozen:
            return
        for q, book in enumerate(self.books):
            left = z - sums[q]
            chosen = F.one_hot(tokens[:, q], CODES).to(z.dtype)
            self.counts[q].mul_(DECAY).add_(chosen.sum(0), alpha=1 - DECAY)
            self.sums[q].mul_(DECAY).add_(chosen.t() @ left, alpha=1 - DECAY)
            even = self.counts[q].sum() / CODES
            dead = self.counts[q] < REVIVE * even
            fresh = left[torch.randint(len(left), (CODES,), generator=draw)]
            self.sums[q].copy_(torch.where(dead[:, None], fresh * even, self.sums[q]))
            self.counts[q].copy_(torch.where(dead, even, self.counts[q]))
            book.copy_(self.sums[q] / self.counts[q].clamp_min(1e-8)[:, None])


def beam_search(z: Tensor, books: Tensor) -> Tensor:
    """Tokens (n, quantisers) of vectors (n, latent) whose rows of books (quantisers, codes, latent) come near in sum.

    BEAMS of the first tokens are kept, the nearest ones.
    """
    left, distances = z[:, None], (z * z).sum(1)[:, None]
    tokens = torch.zeros(len(z), 1, 0, dtype=torch.long, device=z.device)
    for book in books:
        options = distances[:, :, None] + (book * book).sum(1) - 2 * (left @ book.t())
        distances, places = options.flatten(1).topk(min(BEAMS, options[0].numel()), largest=False)
        beams, codes = places // CODES, places % CODES
        left = left.gather(1, beams[:, :, None].expand(-1, -1, z.shape[1])) - book[codes]
        earlier = tokens.gather(1, beams[:, :, None].expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([earlier, codes[:, :, None]], 2)
    return tokens[:, 0]
