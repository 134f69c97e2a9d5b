"""Time PyTorch on the work of TrainExperts and Distill: an epoch of an expert, and an
iteration of trajectory matching by differentiating the whole unrolled run, as the
published implementations do it.

    python distill_torch.py WIDTH IMAGES BATCH ROWS STEPS THREADS

Prints JSON: processor seconds of an epoch over IMAGES random images of 28 by 28 pixels in batches of
BATCH, and of an iteration of STEPS steps on ROWS images. No augmentation on either side.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

WIDTH, IMAGES, BATCH, ROWS, STEPS, THREADS = map(int, sys.argv[1:])
DEPTH, CLASSES = 3, 10


def shapes():
    channels = 1
    for _ in range(DEPTH):
        yield from ((WIDTH, channels, 3, 3), (WIDTH,), (WIDTH,), (WIDTH,))
        channels = WIDTH
    yield from ((CLASSES, WIDTH * 16), (CLASSES,))


SHAPES = list(shapes())
SIZES = [torch.Size(s).numel() for s in SHAPES]


def logits(x, theta):
    parameters = [p.view(s) for p, s in zip(theta.split(SIZES), SHAPES)]
    for block in range(DEPTH):
        kernel, bias, gain, shift = parameters[4 * block : 4 * block + 4]
        x = F.conv2d(x, kernel, bias, padding=1 if block else 3)
        x = F.avg_pool2d(F.relu(F.group_norm(x, WIDTH, gain, shift)), 2)
    return F.linear(x.flatten(1), *parameters[-2:])


def gradient(x, labels, theta, keep=False):
    return torch.autograd.grad(F.cross_entropy(logits(x, theta), labels), theta, create_graph=keep)[0]


def epoch(theta, images, labels):
    for rows in torch.randperm(len(images)).split(BATCH):
        theta = (theta - 0.01 * gradient(images[rows], labels[rows], theta)).detach().requires_grad_()


def iteration(start, goal, images, labels):
    images, rate, theta = images.clone().requires_grad_(), torch.tensor(0.01, requires_grad=True), start
    for _ in range(STEPS):
        theta = theta - rate * gradient(images, labels, theta, keep=True)
    loss = (theta - goal).square().sum() / (start - goal).square().sum()
    return torch.autograd.grad(loss, [images, rate])


def seconds(work, *arguments):
    work(*arguments)
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


torch.manual_seed(0)
torch.set_num_threads(THREADS)
theta = (0.1 * torch.randn(sum(SIZES))).requires_grad_()
goal = (theta + 0.01 * torch.randn_like(theta)).detach()
images, labels = torch.randn(IMAGES, 1, 28, 28), torch.arange(IMAGES) % CLASSES
print(json.dumps({"epoch": seconds(epoch, theta, images, labels), "iteration": seconds(iteration, theta, goal, images[:ROWS], labels[:ROWS])}))
