"""Writes near.json: texts, and which of them are near-duplicates of which by the exact
Jaccard similarity of their shingles, computed over all pairs without MinHash.

    python3 make_near.py ../../../data/samples/pubmedqa.jsonl > near.json

The texts are the first 40 words of abstracts of PubMedQA (MIT, see
data/samples/LICENSE-pubmedqa) and edited copies: words replaced, swapped or cut, case,
space and Unicode form changed.
"""

import json
import random
import sys
import unicodedata


def normalise(text):
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def shingles(text, unit, size):
    text = normalise(text)
    units = text.split(" ") if unit == "words" else list(text)
    glue = " " if unit == "words" else ""
    return {glue.join(units[i : i + size]) for i in range(max(1, len(units) - size + 1))}


def edited(words, edits, rng):
    words = list(words)
    for _ in range(edits):
        i = rng.randrange(len(words))
        match rng.randrange(3):
            case 0:
                words[i] = rng.choice(["study", "patients", "results", "n = 12"])
            case 1:
                words[i], words[i - 1] = words[i - 1], words[i]
            case 2:
                del words[i]
    return words


def disguised(text, rng):
    wide = {c: chr(ord(c) + 0xFEE0) for c in "abcdefg"}
    return rng.choice([text.upper(), text.replace(" ", "  \n"), "".join(wide.get(c, c) for c in text)])


def near(texts, unit, size, threshold):
    sets = [shingles(t, unit, size) for t in texts]
    kept, found = [], []
    for i, s in enumerate(sets):
        for j in kept:
            similarity = len(s & sets[j]) / len(s | sets[j])
            if similarity >= threshold:
                found.append([i, j, similarity])
                break
        else:
            kept.append(i)
    return found


def main():
    rng = random.Random(7)
    texts = ["", " \t", "one", "One\u00a0", "two words"]
    for line in open(sys.argv[1], encoding="utf-8"):
        words = json.loads(line)["text"].split()[:40]
        texts.append(" ".join(words))
        for edits in (0, 1, 3, 8):
            texts.append(disguised(" ".join(edited(words, edits, rng)), rng))
    rng.shuffle(texts)
    cases = [
        {"unit": unit, "size": size, "threshold": threshold, "near": near(texts, unit, size, threshold)}
        for unit, size, threshold in [("words", 5, 0.8), ("words", 3, 0.5), ("words", 1, 1), ("characters", 5, 0.7), ("characters", 9, 0.3)]
    ]
    json.dump({"texts": texts, "cases": cases}, sys.stdout, ensure_ascii=True, indent=1)
    print()


main()
