"""Score a folder of images by RIGID with PyTorch, torchvision and transformers as a
careful user would, and print what it took: one line of JSON with images, wall seconds
and CPU seconds of the scoring, peak memory of the process in bytes. Loading the model
and a first batch on a GPU are not counted.
"""

import argparse
import json
import pathlib
import resource
import time

import torch
import torchvision
import transformers
from PIL import Image

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Folder(torch.utils.data.Dataset):
    def __init__(self, files):
        self.files = files
        self.prepare = torchvision.transforms.Compose([
            torchvision.transforms.Resize((224, 224), antialias=True),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(MEAN, DEVIATION),
        ])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return self.prepare(Image.open(self.files[i]).convert("RGB"))


def cpu_seconds():
    total = 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("images", type=pathlib.Path)
    arguments.add_argument("model", type=pathlib.Path)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--workers", type=int, default=0)
    arguments.add_argument("--limit", type=int, default=None)
    a = arguments.parse_args()
    torch.set_num_threads(2 if a.device == "cpu" else 16)
    model = transformers.AutoModel.from_pretrained(a.model, dtype=torch.float32).eval().to(a.device)
    files = sorted(p for p in a.images.rglob("*") if p.suffix in (".png", ".jpg"))[: a.limit]

    def feature(x):
        return model(pixel_values=x).last_hidden_state[:, 0]

    with torch.inference_mode():
        if a.device != "cpu":
            feature(torch.zeros(2, 3, 224, 224, device=a.device))
        began, cpu = time.perf_counter(), cpu_seconds()
        loader = torch.utils.data.DataLoader(Folder(files), batch_size=a.batch, num_workers=a.workers, pin_memory=a.device != "cpu")
        for clean in loader:
            clean = clean.to(a.device, non_blocking=True)
            noisy = clean + 0.05 * torch.randn_like(clean)
            torch.cosine_similarity(feature(clean), feature(noisy)).cpu()
    print(json.dumps({
        "images": len(files), "seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu,
        "bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }))


if __name__ == "__main__":
    main()
