"""How well do heads code NHS patient comments? Beside the pipeline of those who labelled them, in one run.

    python benchmarks/nhs.py ../shared/benchmarks/nhs_comments_v6.csv

Theirs, after their repository The-Strategy-Unit/pxtextmining (once CDU-data-science-team/pxtextmining) and
its package 1.0.1 on PyPI: rows without text or label are dropped, text is stripped of punctuation and digits
and split 80/20 with random_state 42 (`load_multilabel_data`, `process_data` and `process_and_split_data` in
pxtextmining/factories/factory_data_load_and_split.py); TF-IDF and one SVC a label, C 15, balanced, 1,000
iterations (`create_and_train_svc_model` in pxtextmining/factories/factory_pipeline.py and
current_best_model/final_svc/final_svc_summary.txt); a comment that gets no label gets its likeliest one
(`predict_multilabel_sklearn` in pxtextmining/factories/factory_predict_unlabelled_text.py). The 32 labels
are `minor_cats` in pxtextmining/params.py. The file here has the labels of one version earlier: `MERGED`
brings them together as docs/framework/framework3.qmd of The-Strategy-Unit/PatientExperience-QDC describes
the later ones. Probabilities of an SVC are Platt's, from five folds, as scikit-learn's `probability` makes
them; folds are made here so that the mixture can use them too.

Ours: `heads.train` on vectors of the comments as they were written, thresholds from its own folds of the
training part, with the penalty of `qinlp train` and with a tenth of it; a label with fewer than 12 comments
gets no head and is never given. "With their SVC" is the mean of both probabilities, thresholds from the
same folds.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import string
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score, f1_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from qinlp.coding import heads
from qinlp.coding.calibration import f1_threshold, fit_sigmoid
from qinlp.coding.model import encoder_named

EMPTY = "Labelling not possible"
MERGED = {
    "Continuity of care": (
        "Diagnosis & triage",
        "Referals & continuity of care",
        "Staff continuity",
        "Care plans",
    ),
    "Environment, facilities & equipment": ("Environment & Facilities", "Provision of medical equipment"),
    "Staffing levels & responsiveness": ("Number & deployment of staff", "Staff responsiveness"),
}
"""Label -> the labels of the file that it takes in."""
MEANING = {
    "Organisation & efficiency": "How well run, organised or efficient the service is as a whole.",
    "Funding & use of financial resources": "Money for the service, what it is spent on, cuts and pay.",
    "Staff manner & personal attributes": (
        "What staff are like with patients: kind, friendly, helpful, caring, polite, professional, or rude."
    ),
    "Competence & training": "How skilled, knowledgeable, experienced or well trained the staff are.",
    "Unspecified communication": "Communication was good or bad, without saying about what or by whom.",
    "Staff listening, understanding & involving patients": (
        "Whether staff listen, understand, take patients seriously and let them take part in decisions."
    ),
    "Information directly from staff during care": (
        "What staff tell and explain to the patient during care: advice, answers, what happens and why."
    ),
    "Information provision & guidance": (
        "Leaflets, websites, letters, signs and other guidance about the service or the condition."
    ),
    "Being kept informed, clarity & consistency of information": (
        "Being told of delays, changes and progress; information that is clear and not contradictory."
    ),
    "Contacting services": "Reaching the service: telephone lines, holding, call-backs, numbers to ring.",
    "Appointment arrangements": (
        "Booking, times, length, frequency, reminders and cancellation of appointments and visits."
    ),
    "Appointment method": "Whether an appointment is face to face, by telephone or by video.",
    "Timeliness of care": "Waiting for care: how long it took, prompt or late, delays, waiting lists.",
    "Pain management": "Pain, pain relief and whether it was taken care of.",
    "Discharge": "Leaving hospital or the end of care: being sent home, support afterwards.",
    "Cleanliness, tidiness & infection control": "How clean and tidy places are; hygiene, masks, infection.",
    "Service location": "Where the service is: near or far, easy to find and to get to.",
    "Transport to/ from services": (
        "Getting to and from care: ambulance, patient transport, taxi, driver, vehicle, pick-up."
    ),
    "Parking": "Parking places, their number and their cost.",
    "Electronic entertainment": "Television, radio, internet, wifi, telephones and games on the ward.",
    "Feeling safe": "Whether the patient felt safe and secure, or afraid.",
    "Mental Health Act": "Being detained, sectioned, on leave or restricted by the law on mental health.",
    "Supplying & understanding medication": (
        "Medicines: prescribing, supply, pharmacy, doses, side effects and knowing what they are for."
    ),
    "Activities & access to fresh air": "Things to do on the ward, groups, exercise, going outside.",
    "Food & drink provision & facilities": "Meals, snacks, drinks, the choice of food and where to eat.",
    "Sensory experience": "Noise, light, smell, heat and cold; whether one can sleep.",
    "Interaction with family/ carers": "How relatives and carers are involved, informed or let in.",
    "Positive experience & gratitude": (
        "General praise, thanks or satisfaction; nothing could be better; no detail of what was good."
    ),
    "Continuity of care": (
        "Diagnosis and triage, referral to and between services, seeing the same staff, handover, care plans."
    ),
    "Environment, facilities & equipment": (
        "Rooms, wards, beds, furniture, buildings, privacy and comfort; equipment and aids that are supplied."
    ),
    "Staffing levels & responsiveness": (
        "Enough staff or too few, staff who are too busy, how quickly staff come and respond to a request."
    ),
}
"""Label -> our own words for it."""
LABELS = (*MEANING, EMPTY)
PUBLISHED = {
    "TF-IDF + SVC": (0.71, 0.64),
    "XGBoost": (0.73, 0.61),
    "DistilBERT": (0.75, 0.67),
    "ensemble": (0.77, 0.71),
}
"""Their own micro and macro F1 on a newer, larger version of the data."""
OWN_THRESHOLD = 300
"""A label with fewer comments shares a threshold with the other rare ones, as in `heads`."""


@dataclass(frozen=True)
class Comment:
    text: str
    plain: str
    """Without punctuation and digits, in small letters."""
    respondent: str
    labels: frozenset[str]


def read(path: Path) -> list[Comment]:
    """Return the comments that have text and one of `LABELS`."""
    found = []
    of = {part: label for label, parts in MERGED.items() for part in parts}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            held = {of.get(name, name) for name, value in row.items() if value.strip() == "1"} & set(LABELS)
            needed = ("FFT answer", "FFT question", "FFT categorical answer")
            plain = stripped(row["FFT answer"])
            if held and plain and all(row[name].strip() for name in needed):
                found.append(Comment(row["FFT answer"].strip(), plain, row["Respondent ID"], frozenset(held)))
    return found


def stripped(text: str) -> str:
    kept = re.sub(r"[,.\-\r\n]", " ", text.replace("â€™", "'"))
    return " ".join(kept.translate(str.maketrans("", "", string.punctuation + string.digits)).lower().split())


def matrix(comments: Sequence[Comment], labels: Sequence[str]) -> np.ndarray:
    return np.array([[label in comment.labels for label in labels] for comment in comments])


def likeliest_where_none(decisions: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    fixed = decisions.copy()
    none = ~decisions.any(1)
    fixed[none, probabilities[none].argmax(1)] = True
    return fixed


def svc_scores(texts: Sequence[str], present: np.ndarray, others: Sequence[str]) -> np.ndarray:
    """Fit their TF-IDF and SVC, return its scores of other texts, shape (others, labels).

    The kernel is computed once for all labels; `gamma` is scikit-learn's "scale".
    """
    counter = TfidfVectorizer()
    x = counter.fit_transform(texts)
    gamma = 1 / (x.shape[1] * (x.multiply(x).mean() - x.mean() ** 2))
    kernel, across = rbf_kernel(x, gamma=gamma), rbf_kernel(counter.transform(others), x, gamma=gamma)
    scores = np.full((len(others), present.shape[1]), -1.0)
    for label in range(present.shape[1]):
        if present[:, label].any():
            svc = SVC(C=15, kernel="precomputed", class_weight="balanced", max_iter=1000, cache_size=1000)
            scores[:, label] = svc.fit(kernel, present[:, label]).decision_function(across)
    return scores


def svc(
    train: Sequence[str], present: np.ndarray, tests: Sequence[np.ndarray], test: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities of the training texts out of fold, of the test texts, and scores of these."""
    out = np.zeros(present.shape)
    for fold in tests:
        rest = np.setdiff1d(np.arange(len(train)), fold)
        out[fold] = svc_scores([train[i] for i in rest], present[rest], [train[i] for i in fold])
    scores = svc_scores(train, present, test)
    sigmoids = [fit_sigmoid(out[:, i], present[:, i]) for i in range(present.shape[1])]
    own = np.stack([s(out[:, i]) for i, s in enumerate(sigmoids)], 1)
    return own, np.stack([s(scores[:, i]) for i, s in enumerate(sigmoids)], 1), scores


def row(name: str, decisions: np.ndarray, probabilities: np.ndarray, present: np.ndarray) -> str:
    some = present.any(0)
    micro = f1_score(present, decisions, average="micro", zero_division=0)
    macro = f1_score(present, decisions, average="macro", zero_division=0)
    ap = average_precision_score(present[:, some], probabilities[:, some], average="macro")
    return f"| {name} | {micro:.3f} | {macro:.3f} | {ap:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("comments", type=Path)
    parser.add_argument("--model", default="qinlp-minilm", help="whose encoder stands beside the base one")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    started = time.perf_counter()
    comments = read(arguments.comments)
    train, test = train_test_split(comments, test_size=0.2, random_state=42)
    present, truth = matrix(train, LABELS), matrix(test, LABELS)
    groups = [comment.respondent for comment in train]
    tests = heads.folds(groups, 5)
    print(f"{len(train)} comments to train on, {len(test)} to test on, {len(LABELS)} labels")

    rows = []
    own, probable, scores = svc([c.plain for c in train], present, tests, [c.plain for c in test])
    theirs = likeliest_where_none(scores > 0, probable) | (probable > 0.5)
    rows.append(row("theirs: TF-IDF + SVC", theirs, probable, truth))
    rows.append(row("theirs, thresholds as ours", probable >= thresholds(own, present), probable, truth))

    base, tuned = (
        (encoder.encode([c.text for c in train]), encoder.encode([c.text for c in test]))
        for encoder in (encoder_named("base"), encoder_named(arguments.model))
    )
    vectors = {
        "base encoder": base,
        f"{arguments.model}'s encoder": tuned,
        "both": tuple(np.hstack(pair) for pair in zip(base, tuned, strict=True)),
    }
    for name, (of_train, of_test) in vectors.items():
        for strength in (1.0, 10.0):
            out, given, decided = ours(of_train, present, groups, of_test, strength)
            as_named = f"ours: {name}" + ("" if strength == 1 else f", penalty {1 / strength:g}")
            rows.append(row(as_named, decided, given, truth))
            none = ~out.any(0)
            out[:, none], given[:, none] = own[:, none], probable[:, none]
            out, given = (out + own) / 2, (given + probable) / 2
            rows.append(row(f"{as_named}, with their SVC", given >= thresholds(out, present), given, truth))

    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{time.perf_counter() - started:.0f} s; {machine}")
    print("| | micro F1 | macro F1 | mean AP |\n|---|---:|---:|---:|")
    print("\n".join(rows))
    for name, (micro, macro) in PUBLISHED.items():
        print(f"| published, other data version: {name} | {micro:.2f} | {macro:.2f} | |")


def ours(
    vectors: np.ndarray, present: np.ndarray, groups: Sequence[str], test: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities out of fold and of the test part, and decisions; 0 where there is no head."""
    found = heads.train("nhs", "", LABELS, vectors, present, np.ones_like(present), groups, strength=strength)
    kept = [LABELS.index(code) for code in found.heads.codes]
    out, given = np.zeros(present.shape), np.zeros((len(test), len(LABELS)))
    decided = np.zeros(given.shape, bool)
    out[np.ix_(found.rows, kept)] = found.probabilities
    given[:, kept] = found.heads.probabilities(test)
    decided[:, kept] = given[:, kept] >= found.heads.threshold
    return out, given, decided


def thresholds(probabilities: np.ndarray, present: np.ndarray) -> np.ndarray:
    rare = present.sum(0) < OWN_THRESHOLD
    found = np.full(present.shape[1], f1_threshold(probabilities[:, rare].ravel(), present[:, rare].ravel()))
    for label in np.flatnonzero(~rare):
        found[label] = f1_threshold(probabilities[:, label], present[:, label])
    return found


if __name__ == "__main__":
    main()
