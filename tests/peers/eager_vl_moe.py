# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's model in plain eager PyTorch: a multiway transformer whose V-FFN and T-FFN are mixtures of experts in some layers, masked image
and masked word modelling on pictures, texts and pairs. Written as a researcher would write it; parameters have the names of our checkpoints.
B samples, P patches, L words, D width, T tokens, E experts."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, valid=None):
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mask = None if valid is None else valid[:, None, None, :]
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(B, T, D))


class Network(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(hidden, width))
        self.b1 = nn.Parameter(torch.empty(hidden))
        self.w2 = nn.Parameter(torch.empty(width, hidden))
        self.b2 = nn.Parameter(torch.empty(width))

    def forward(self, x):
        return F.linear(F.gelu(F.linear(x, self.w1, self.b1)), self.w2, self.b2)


class DenseBranch(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ffn = Network(width, hidden)

    def forward(self, x, losses):
        return self.ffn(self.norm(x))


class Experts(nn.Module):
    def __init__(self, experts, width, hidden):
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(experts, hidden, width))
        self.b1 = nn.Parameter(torch.empty(experts, hidden))
        self.w2 = nn.Parameter(torch.empty(experts, width, hidden))
        self.b2 = nn.Parameter(torch.empty(experts, width))

    def forward(self, x, indices, weights):
        y = torch.zeros_like(x)
        for e in range(self.w1.shape[0]):
            token, place = torch.where(indices == e)
            if token.numel() == 0:
                continue
            out = F.linear(F.gelu(F.linear(x[token], self.w1[e], self.b1[e])), self.w2[e], self.b2[e])
            y.index_add_(0, token, out * weights[token, place, None])
        return y


class SparseBranch(nn.Module):
    """Softmax, then the k best with their raw probabilities (V-MoE)."""

    class Moe(nn.Module):
        def __init__(self, width, hidden, experts, k):
            super().__init__()
            self.k = k
            self.router = nn.Linear(width, experts, bias=False)
            self.experts = Experts(experts, width, hidden)

    def __init__(self, width, hidden, experts, k):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.moe = self.Moe(width, hidden, experts, k)

    def forward(self, x, losses):
        x, moe = self.norm(x), self.moe
        logits = moe.router(x)
        probs = logits.softmax(-1)
        weights, indices = probs.topk(moe.k, dim=-1)
        share = torch.bincount(indices.flatten(), minlength=probs.shape[1]) / indices.numel()
        losses.append((probs.shape[1] * (share * probs.mean(0)).sum(), logits.logsumexp(-1).square().mean()))
        return moe.experts(x, indices, weights)


class Block(nn.Module):
    def __init__(self, c, layer):
        super().__init__()
        self.attention = Attention(c["width"], c["heads"])
        def branch():
            if layer in c["moe_layers"]:
                return SparseBranch(c["width"], c["expert_width"], c["experts"], c["k"])
            return DenseBranch(c["width"], c["ffn_width"])
        self.v, self.t = branch(), branch()
        self.vl = DenseBranch(c["width"], c["ffn_width"]) if layer >= c["layers"] - c["vl_layers"] else None

    def forward(self, streams, losses):
        """streams: pictures (B, P, D); texts (B, L, D) with the mask of valid words; pairs (B, P + L, D) with the same and P."""
        images, texts, text_valid, pairs, pair_valid, P = streams
        images = images + self.attention(images)
        texts = texts + self.attention(texts, text_valid)
        pairs = pairs + self.attention(pairs, pair_valid)
        words = texts[text_valid]
        images_out, pairs_out, texts_out = images, pairs.clone(), texts.clone()
        if self.vl is not None:
            images_out = images + self.v(images.flatten(0, 1), losses).view_as(images)
            texts_out[text_valid] = words + self.t(words, losses)
            tokens = pairs[pair_valid]
            pairs_out[pair_valid] = tokens + self.vl(tokens, losses)
        else:
            # A router sees all tokens of its modality together.
            word_valid = pair_valid[:, P:]
            pair_words, pair_patches = pairs[:, P:][word_valid], pairs[:, :P].reshape(-1, pairs.shape[-1])
            patches = torch.cat([images.flatten(0, 1), pair_patches])
            patches = patches + self.v(patches, losses)
            tokens = torch.cat([pair_words, words])
            tokens = tokens + self.t(tokens, losses)
            count = images.shape[0] * images.shape[1]
            images_out = patches[:count].view_as(images)
            pairs_out[:, :P] = patches[count:].view(pairs.shape[0], P, -1)
            tail = pairs_out[:, P:].clone()
            tail[word_valid] = tokens[:len(pair_words)]
            pairs_out[:, P:] = tail
            texts_out[text_valid] = tokens[len(pair_words):]
        return images_out, texts_out, text_valid, pairs_out, pair_valid, P


class Embedding(nn.Module):
    def __init__(self, width, numbers, patches, words, vocabulary):
        super().__init__()
        self.patch = nn.Linear(numbers, width)
        self.mask_patch = nn.Parameter(torch.empty(width))
        self.word = nn.Parameter(torch.empty(vocabulary + 1, width))
        self.position_v = nn.Parameter(torch.empty(patches, width))
        self.position_t = nn.Parameter(torch.empty(words, width))
        self.modality = nn.Parameter(torch.empty(2, width))

    def image(self, patches, masked):
        return torch.where(masked[..., None], self.mask_patch, self.patch(patches)) + self.position_v + self.modality[0]

    def text(self, ids, masked):
        return F.embedding(ids.masked_fill(masked, self.word.shape[0] - 1), self.word) + self.position_t[:ids.shape[1]] + self.modality[1]


class Heads(nn.Module):
    def __init__(self, width, numbers, vocabulary):
        super().__init__()
        self.norm_v, self.norm_t = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pixel, self.word = nn.Linear(width, numbers), nn.Linear(width, vocabulary)


class EagerVlMoe(nn.Module):
    def __init__(self, c, weights):
        super().__init__()
        self.c = c
        vocabulary, width = weights["embed.word"].shape
        numbers = weights["embed.patch.weight"].shape[1]
        self.embed = Embedding(width, numbers, weights["embed.position_v"].shape[0], weights["embed.position_t"].shape[0], vocabulary - 1)
        self.layers = nn.ModuleList(Block(c, layer) for layer in range(c["layers"]))
        self.head = Heads(width, numbers, vocabulary - 1)
        self.load_state_dict(weights)

    def forward(self, batch):
        P = batch["images.patches"].shape[1]
        pair_patches = self.embed.image(batch["pair_images.patches"], batch["pair_images.masked"])
        pairs = torch.cat([pair_patches, self.embed.text(batch["pair_texts.ids"], batch["pair_texts.masked"])], 1)
        pair_valid = torch.cat([torch.ones(pair_patches.shape[:2], dtype=torch.bool), batch["pair_texts.valid"]], 1)
        streams = (self.embed.image(batch["images.patches"], batch["images.masked"]), self.embed.text(batch["texts.ids"], batch["texts.masked"]),
                   batch["texts.valid"], pairs, pair_valid, P)
        losses = []
        for layer in self.layers:
            streams = layer(streams, losses)
        images, texts, _, pairs, _, _ = streams

        def pixels(x, stream):
            counted = batch[f"{stream}.counts"]
            return F.mse_loss(self.head.pixel(self.head.norm_v(x[counted])), batch[f"{stream}.target"][counted])

        def words(x, stream):
            masked = batch[f"{stream}.masked"]
            return F.cross_entropy(self.head.word(self.head.norm_t(x[masked])), batch[f"{stream}.ids"][masked])

        objectives = (pixels(images, "images"), words(texts, "texts"), pixels(pairs[:, :P], "pair_images"), words(pairs[:, P:], "pair_texts"))
        loss = sum(weight * objective for weight, objective in zip(self.c["weight"], objectives))
        return loss + sum(self.c["balance"] * balance + self.c["z"] * z for balance, z in losses)


class Step:
    """A training step: forward, backward, clipping, AdamW with weight decay on the matrices alone."""

    def __init__(self, c, weights, batch, fused):
        self.model, self.batch, self.clip = EagerVlMoe(c, weights), batch, c["clip"]
        decaying = set(c["decaying"])
        groups = [{"params": [p for n, p in self.model.named_parameters() if (n in decaying) == decays], "weight_decay": c["weight_decay"] if decays else 0.0}
                  for decays in (True, False)]
        self.optimizer = torch.optim.AdamW(groups, lr=c["learning_rate"], betas=tuple(c["betas"]), eps=c["epsilon"], **({"fused": True} if fused else {}))
        self.loss = float("nan")

    def __call__(self):
        loss = self.model(self.batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = loss.item()
