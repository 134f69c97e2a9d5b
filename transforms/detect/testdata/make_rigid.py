"""Make rigid.json: RIGID and MINDER scores of 20 images by PyTorch, on the tiny random DINOv2 of
transforms/models/testdata/tiny/dinov2.

    python make_rigid.py

Images are cut out of the shipped ones and saved without loss, so that no difference of JPEG
decoders shows. Resizing is torchvision's, features are transformers' with the position embeddings
stretched by DINOv2's own rule, and noise comes from the generator that detect/picture.go describes.
"""

import base64
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor
from transformers import Dinov2Model

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "transforms/models/testdata/tiny"), str(ROOT / "transforms/models/testdata/reference")]
from make_encoders import hub_positions  # noqa: E402
from make_reference import uniforms  # noqa: E402

SIZE, NOISE, DRAWS, BLUR = 40, 1.5, 3, 0.55  # noise strong enough to move the feature of a random model
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cut_outs():
    files = sorted((ROOT / "data/samples/images").glob("*/*.jpg"))
    rng = np.random.default_rng(3)
    for i in range(20):
        image = Image.open(files[i % len(files)]).convert("RGB")
        # Not taller than wide: for some shapes Pillow 13 resizes down before across, earlier
        # versions never do, and a value may then differ by one.
        height, width = sorted(rng.integers(20, 90, 2))
        left, top = rng.integers(0, image.width - width), rng.integers(0, image.height - height)
        yield image.crop((left, top, left + width, top + height)), ("PNG", "BMP", "WEBP")[i % 3]


def noise(file, draw, shape):
    count = int(np.prod(shape))
    u = uniforms(hashlib.sha256(file).hexdigest(), 0, draw, count + count % 2)
    radius = NOISE * np.sqrt(-2 * np.log(1 - u[::2]))
    pairs = np.stack([radius * np.cos(2 * np.pi * u[1::2]), radius * np.sin(2 * np.pi * u[1::2])], -1)
    return torch.from_numpy(pairs.ravel()[:count].astype(np.float32)).reshape(shape)


def blurred(image):
    x = torch.arange(-1, 2).float()
    kernel = torch.exp(-x ** 2 / (2 * BLUR ** 2))
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    padded = torch.nn.functional.pad(image[None], (1, 1, 1, 1), mode="reflect")
    across = torch.nn.functional.conv2d(padded, kernel[:, None, None, :], groups=3)
    return torch.nn.functional.conv2d(across, kernel[:, None, :, None], groups=3)[0]


@torch.inference_mode()
def main():
    model = Dinov2Model.from_pretrained(ROOT / "transforms/models/testdata/tiny/dinov2").eval()
    side = SIZE // model.config.patch_size
    model.embeddings.interpolate_pos_encoding = lambda *_: hub_positions(model, (side, side), False)
    normalise = Normalize(MEAN, DEVIATION)
    feature = lambda x: model(pixel_values=x[None]).last_hidden_state[0, 0].double()
    cosine = lambda a, b: torch.nn.functional.cosine_similarity(a, b, dim=0).item()
    rows = []
    for image, format in cut_outs():
        out = io.BytesIO()
        image.save(out, format, **({"lossless": True} if format == "WEBP" else {}))
        file = out.getvalue()
        plain = Compose([Resize((SIZE, SIZE), interpolation=InterpolationMode.BILINEAR), ToTensor()])(image)
        clean = normalise(plain)
        of_clean = feature(clean)
        similarities = [cosine(of_clean, feature(clean + noise(file, draw, clean.shape))) for draw in range(DRAWS)]
        blur = blurred(plain)
        distance = 1 - cosine(feature(normalise(blur)), feature(normalise((2 * plain - blur).clamp(0, 1))))
        similarity = float(np.mean(similarities))
        rows.append({"file": base64.b64encode(file).decode(), "similarity": similarity,
                     "error": float(np.std(similarities, ddof=1) / np.sqrt(DRAWS)), "blur": distance})
    (HERE / "rigid.json").write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
