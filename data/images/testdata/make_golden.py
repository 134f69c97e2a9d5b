"""Make images.json: files of many kinds, and what Pillow makes of them.

    python make_golden.py

Each case holds a file (base64), the pixels of Image.open(...).convert("RGB"), turned by EXIF, and
of some what torchvision's Resize gives.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode, Resize

rng = np.random.default_rng(5)


def picture(width, height, channels=3):
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(x / (3 + k)) + np.cos(y / (4 + 2 * k)) + 0.3 * rng.standard_normal((height, width)) for k in range(channels)]
    return np.clip(128 + 50 * np.stack(planes, -1), 0, 255).astype(np.uint8)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def encode(data):
    return base64.b64encode(data).decode()


def case(name, data, **more):
    # 16-bit files by their high bytes, which Pillow's own conversion would clip.
    image = more.pop("pixels", None)
    if image is None:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return {"name": name, "file": encode(data), "width": image.width, "height": image.height,
            "pixels": encode(image.tobytes())} | more


def main():
    rgb = Image.fromarray(picture(23, 17))
    rgba = Image.fromarray(picture(11, 9, 4), "RGBA")
    cases = [case("png", saved(rgb, "PNG")), case("png alpha", saved(rgba, "PNG")),
             case("png grey", saved(rgb.convert("L"), "PNG")), case("png palette", saved(rgb.quantize(16), "PNG")),
             case("bmp", saved(rgb, "BMP")), case("tiff", saved(rgb, "TIFF")), case("gif", saved(rgb.quantize(32), "GIF")),
             case("webp lossless", saved(rgb, "WEBP", lossless=True))]
    high = picture(7, 5)[..., 0]
    deep = Image.fromarray((high.astype(np.uint16) << 8) | 77)
    cases.append(case("png 16-bit grey", saved(deep, "PNG"), pixels=Image.fromarray(high).convert("RGB")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for format in ("PNG", "TIFF", "WEBP"):
            options = {"lossless": True} if format == "WEBP" else {}
            if format == "TIFF" and orientation != 6:
                continue
            cases.append(case(f"{format.lower()} orientation {orientation}", saved(rgb.crop((0, 0, 9, 6)), format, exif=exif.tobytes(), **options)))
        # Flat colours, so that the difference of decoders does not show.
        flat = Image.new("RGB", (32, 16), (200, 30, 60))
        flat.paste((20, 180, 90), (0, 0, 16, 16))
        cases.append(case(f"jpeg orientation {orientation}", saved(flat, "JPEG", quality=95, subsampling=0, exif=exif.tobytes()), tolerance=3))
    cases.append(case("jpeg grey", saved(rgb.convert("L"), "JPEG", quality=90), tolerance=3))
    cases.append(case("jpeg", saved(rgb, "JPEG", quality=90, subsampling=0), tolerance=4))

    big = Image.fromarray(picture(61, 43))
    resized = []
    for mode, name in ((InterpolationMode.BILINEAR, "bilinear"), (InterpolationMode.BICUBIC, "bicubic")):
        for height, width in ((28, 28), (80, 100), (43, 20), (5, 61), (40, 50)):
            out = Resize((height, width), interpolation=mode)(big)
            resized.append({"filter": name, "width": width, "height": height, "pixels": encode(out.tobytes())})
    document = {"cases": cases, "resize": {"file": encode(saved(big, "PNG")), "to": resized}}
    Path(__file__).with_name("images.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
