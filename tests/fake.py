"""A small corpus, and a model that needs no torch: heads and cold start over counted words.

Run as a program it is the command line with that model in place of the real one; the model's folder
comes from FAKE_MODEL, and batches are small, so that a test can stop it between any two of them.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np

from qinlp import shipped, steps
from qinlp.codebook import find as find_codebook
from qinlp.coding import coldstart, evaluation, heads
from qinlp.coding.model import Model, save

DIMENSION = 128
FOLDER = "FAKE_MODEL"


RIS = """\
TY  - JOUR
TI  - Why a falls bundle was left undone
AU  - Berg, Anna
PY  - 2021
DO  - 10.5555/falls
AB  - Nurses had no time to fill in the falls form at night. A clear mandate from the ward manager helped \
the team to carry on. We interviewed 20 nurses on four wards.
ER  - 

TY  - JOUR
TI  - Champions for hand hygiene
AU  - Lund, Per
PY  - 2020
DO  - 10.5555/hands
AB  - Local champions reminded their colleagues and this made the change easier. Lack of funding was the \
main barrier to keeping it up.
ER  - 
"""  # noqa: W291 - RIS ends its lines so

TRANSCRIPT = """\
Interviewer: How did the programme start on your ward?

Kari: We never got the equipment that was promised, so for months we could do nothing at all. It was hard \
to keep people interested when nobody from the management came by.

Interviewer: And what helped you later?

Kari: The coach rang every other week, and she knew what a Sunday shift is like. That support made us \
believe that we could manage it. 𝓦e even lãughed about it 👩‍⚕️ in the end.
"""

SETTINGS = """\
name = "ward study"
[coding]
codebooks = ["valence", "npt"]
"""


class Words:
    """An encoder that counts words into buckets; `encoded` holds every text it was given."""

    fingerprint = "words-1"
    about = "counted words"

    def __init__(self):
        self.encoded = []

    def encode(self, texts, progress=None):
        self.encoded.extend(texts)
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.casefold()):
                digest = hashlib.sha256(word.encode()).digest()
                row[int.from_bytes(digest[:4]) % DIMENSION] += 1 if digest[4] % 2 else -1
            row[0] += 0.001
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        if progress:
            progress(len(texts))
        return vectors


def make(folder):
    """Train a model on a part of the shipped passages: heads for valence, a cold start for all else."""
    rows = evaluation.read_labelled(shipped.folder("data/training") / "written.jsonl")[:400]
    book, encoder = find_codebook("valence"), Words()
    codes = [code.id for code in book.codes]
    vectors = encoder.encode([row.text for row in rows])
    present, counted = evaluation.matrix(rows, book.id, codes, {code.id: code.parent for code in book.codes})
    trained = heads.train(book.id, book.hash, codes, vectors, present, counted, [row.group for row in rows])
    likeness = coldstart.Prototypes.of(book, encoder).features(vectors)
    cold = coldstart.calibrate([(likeness, present, counted)])
    save(folder, [trained.heads], cold, {"name": folder.name, "encoder": "base"}, "# Counted words\n")


class Counted(Model):
    """A model with counted words for its encoder, also in another process."""

    def __reduce__(self):
        return model, (self.folder,)


def model(folder):
    """Return the model in a folder, with counted words for its encoder."""
    found = Counted(folder, json.loads((folder / "card.json").read_text("utf-8")))
    found.__dict__["encoder"] = Words()
    return found


def write_project(folder):
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text(SETTINGS, "utf-8")
    (folder / "documents" / "references.ris").write_text(RIS, "utf-8")
    (folder / "documents" / "kari.txt").write_text(TRANSCRIPT, "utf-8")
    return folder


def environment(model_folder, home):
    """Return the variables of a process of its own: the model without torch, a Prefect of its own."""
    own = {FOLDER: str(model_folder), "PREFECT_HOME": str(home / "prefect"), "COLUMNS": "80"}
    return {k: v for k, v in os.environ.items() if k not in {"QINLP_PROJECT", "PYTHONWARNINGS"}} | own


def patch():
    """Put the model without torch, and small batches, in the place of the real ones."""
    steps.coding.find_model = lambda config: model(Path(os.environ[FOLDER]))
    steps.reading.DOCUMENTS_A_BATCH = 25
    steps.coding.INPUTS_A_BATCH = steps.coding.PASSAGES_A_BATCH = 100


def main():
    from qinlp import cli

    patch()
    cli.main()


if __name__ == "__main__":
    main()
