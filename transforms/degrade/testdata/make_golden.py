"""Write images.json: pixels of degraded images by Pillow and SciPy.

    python make_golden.py

Needs numpy, scipy and pillow.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def encode(array):
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).decode()


def picture():
    """Smooth colours, an edge and some grain."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:40, 0:56]
    image = np.stack([4 * x, 5 * y, 120 + 60 * np.sin(x / 6)], -1) + rng.normal(0, 4, (40, 56, 3))
    image[10:20, 30:45] = [230, 30, 60]
    return np.clip(image, 0, 255).astype(np.uint8)


def jpeg(array, quality):
    b = io.BytesIO()
    Image.fromarray(array).save(b, "JPEG", quality=quality, subsampling="4:2:0")
    coded = Image.open(b)
    return {"quality": quality, "tables": [list(t) for t in coded.quantization.values()], "luma": encode(np.asarray(coded.convert("L")))}


def main():
    image = picture()
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    golden = {
        "file": base64.b64encode(file.getvalue()).decode(), "width": 56, "height": 40,
        "blur": [{"sigma": s, "pixels": encode(np.rint(gaussian_filter(image.astype(float), (s, s, 0), mode="reflect", truncate=4)))} for s in (0.5, 1.0, 3.0)],
        "resize": [{"share": s, "width": round(56 * s), "height": round(40 * s), "pixels": encode(Image.fromarray(image).resize((round(56 * s), round(40 * s)), Image.Resampling.BICUBIC))} for s in (0.5, 0.75, 2)],
        "jpeg": [jpeg(image, q) for q in (30, 75, 95)],
    }
    (Path(__file__).parent / "images.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
