"""Makes unroll.json: the loss of trajectory matching and its gradient by images, label
logits and learning rate, by differentiating the whole unrolled run in float64.

    python make_golden.py > unroll.json      (PyTorch 2.15)

Numbers that both sides need are drawn by draws() below, so that the file holds results
alone. Augmentation follows the descriptions in package augment, with PyTorch's
grid_sample for scale and rotation.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
ROWS, BATCH, CLASSES, RATE = 6, 4, 3, 0.2
CASES = [
    dict(family="convnet", width=4, depth=2, image=(8, 8, 2)),
    dict(family="convnet", width=3, depth=1, image=(28, 28, 1)),
    dict(family="convnet", width=3, depth=2, image=(7, 9, 3)),
    dict(family="mlp", width=7, depth=2, image=(5, 6, 3)),
    dict(family="lenet", width=0, depth=0, image=(13, 14, 1)),
]
VIEWS = [
    ("color", lambda d: (d() / 2, 1 + d(), 1 + d() / 2)),
    ("crop", lambda d: (float(round(d())), float(round(d())))),
    ("cutout", lambda d: (float(round(3 + 2 * d())), float(round(3 + 2 * d())))),
    ("flip", lambda d: (float(d() > 0), 0.0)),
    ("scale", lambda d: (1 + d() / 6, 1 + d() / 6)),
    ("rotate", lambda d: (d() / 4, 0.0)),
    ("", lambda d: ()),
]


def draws(seed):
    """A linear congruential generator of numbers in [-1, 1)."""
    state = seed

    def draw():
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return state / 2**30 - 1

    return draw


def vector(n, seed, scale):
    d = draws(seed)
    return torch.tensor([scale * d() for _ in range(n)])


class Net:
    """Takes parameters from a flat vector, kernels as [height, width, in, out]."""

    def __init__(self, family, width, depth, image):
        self.family, self.width, self.depth = family, width, depth
        self.h, self.w, self.c = image

    def __call__(self, x, theta):
        """x is [n, c, h, w]; theta None counts parameters."""
        self.theta, self.at = theta, 0
        if self.family == "mlp":
            x = x.permute(0, 2, 3, 1).flatten(1)
            for _ in range(self.depth):
                x = F.relu(self.dense(x, self.width))
        elif self.family == "convnet":
            padding = 3 if (self.h, self.w) == (28, 28) else 1
            for _ in range(self.depth):
                x = self.conv(x, self.width, 3, padding)
                x = F.instance_norm(x) * self.take(self.width, gain=True).view(1, -1, 1, 1) + self.take(self.width).view(1, -1, 1, 1)
                x, padding = F.avg_pool2d(F.relu(x), 2), 1
            x = x.permute(0, 2, 3, 1).flatten(1)
        else:
            x = F.avg_pool2d(F.relu(self.conv(x, 6, 5, 2)), 2)
            x = F.avg_pool2d(F.relu(self.conv(x, 16, 5, 0)), 2)
            x = x.permute(0, 2, 3, 1).flatten(1)
            x = F.relu(self.dense(F.relu(self.dense(x, 120)), 84))
        return self.dense(x, CLASSES)

    def take(self, *shape, gain=False):
        n = math.prod(shape)
        part = torch.full((n,), 0.1) if self.theta is None else self.theta[self.at : self.at + n]
        self.at += n
        return part.reshape(shape)

    def conv(self, x, out, size, padding):
        kernel = self.take(size, size, x.shape[1], out).permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, self.take(out), padding=padding)

    def dense(self, x, out):
        return x @ self.take(x.shape[1], out) + self.take(out)


def view(x, family, p):
    h, w = x.shape[2:]
    if family == "color":
        x = x + p[:, 0].view(-1, 1, 1, 1)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * p[:, 1].view(-1, 1, 1, 1) + mean
        mean = x.mean((1, 2, 3), keepdim=True)
        return (x - mean) * p[:, 2].view(-1, 1, 1, 1) + mean
    if family == "crop":
        big = F.pad(x, [9] * 4)
        return torch.stack([big[i, :, 9 + int(q[0]) : 9 + int(q[0]) + h, 9 + int(q[1]) : 9 + int(q[1]) + w] for i, q in enumerate(p)])
    if family == "cutout":
        x = x.clone()
        for i, q in enumerate(p):
            top, left = int(q[0]) - h // 4, int(q[1]) - w // 4
            x[i, :, max(0, top) : max(0, top + h // 2), max(0, left) : max(0, left + w // 2)] = 0
        return x
    if family == "flip":
        return torch.stack([a.flip(2) if q[0] else a for a, q in zip(x, p)])
    if family in ("scale", "rotate"):
        grid = torch.zeros(len(x), 2, 3)
        if family == "scale":
            grid[:, 1, 1], grid[:, 0, 0] = p[:, 0], p[:, 1]
        else:
            grid[:, 0, 0], grid[:, 0, 1] = p[:, 0].cos(), -p[:, 0].sin()
            grid[:, 1, 0], grid[:, 1, 1] = p[:, 0].sin(), p[:, 0].cos()
        return F.grid_sample(x, F.affine_grid(grid, x.shape, align_corners=True), align_corners=True)
    return x


def short(x):
    """Values to 12 digits."""
    return [float(f"{v:.12g}") for v in x.flatten().tolist()]


def case(c):
    net = Net(**c)
    h, w, channels = c["image"]
    net(torch.zeros(1, channels, h, w), None)
    parameters = net.at
    start = vector(parameters, 1, 0.4)
    goal = start + vector(parameters, 2, 0.05)
    images = vector(ROWS * h * w * channels, 3, 1.5).view(ROWS, h, w, channels).permute(0, 3, 1, 2).contiguous().requires_grad_()
    labels = vector(ROWS * CLASSES, 4, 2).view(ROWS, CLASSES).requires_grad_()
    rate = torch.tensor(RATE, requires_grad=True)
    d, steps, theta = draws(5), [], start.clone().requires_grad_()
    start_theta = theta
    for i, (family, draw) in enumerate(VIEWS):
        rows = [(i + 2 * k) % ROWS if k < 3 else (i + 1) % ROWS for k in range(BATCH)]
        parameters_of_view = [draw(d) for _ in rows]
        x = view(images[rows], family, torch.tensor(parameters_of_view))
        loss = -(labels[rows].softmax(1) * net(x, theta).log_softmax(1)).sum(1).mean()
        (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
        theta = theta - rate * gradient
        steps.append(dict(rows=rows, family=family, parameters=parameters_of_view))
    loss = (theta - goal).square().sum() / (start - goal).square().sum()
    by_images, by_labels, by_rate = torch.autograd.grad(loss, [images, labels, rate])
    with torch.no_grad():
        logits = net(images, start_theta)
    c = dict(c, image=dict(zip(("height", "width", "channels"), c["image"])), classes=CLASSES)
    return dict(
        net=c, parameters=parameters, rate=RATE, steps=steps, logits=short(logits), loss=loss.item(),
        images=short(by_images.permute(0, 2, 3, 1)), labels=short(by_labels), byRate=by_rate.item(),
    )


print(json.dumps([case(c) for c in CASES]))
