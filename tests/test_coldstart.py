"""A codebook that nobody has labelled passages for codes at once."""

import numpy as np
import pytest

import fake
from qinlp import codebook
from qinlp.codebook import Code, Codebook
from qinlp.coding.coldstart import Prototypes, calibrate

BOOK = Codebook(
    "ward",
    (
        Code("place", "Place", assignable=False),
        Code("place.bed", "Bed", "Handover beside the bed of the patient.", parent="place",
             examples=("We hand over at the bedside.", "The patient hears the handover.")),
        Code("money", "Money", "Funding, grants and the budget.",
             examples=("There was no budget for it.", "A grant paid the nurses.")),
        Code("training", "Training", "Courses, workshops and teaching."),
    ),
)  # fmt: skip


@pytest.fixture
def coder(model_folder):
    return fake.model(model_folder).coder(BOOK)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The handover beside the bed of the patient took too long.", "place.bed"),
        ("The grant was spent and there was no budget left.", "money"),
        ("Nurses went to courses and workshops.", "training"),
    ],
)
def test_an_obvious_passage_gets_its_code(coder, text, code):
    probabilities = coder.probabilities(fake.Words().encode([text]))[0]
    assert coder.codes[probabilities.argmax()] == code


def test_a_heading_is_given_to_no_passage(coder):
    assert coder.codes == ("place.bed", "money", "training")


def test_a_code_without_examples_goes_by_its_definition():
    words = fake.Words()
    vectors = words.encode(["Courses, workshops and teaching."])
    features = Prototypes.of(BOOK, words).features(vectors)
    definition, nearest, mean = features[0, 2, :3]
    assert definition == pytest.approx(nearest) == pytest.approx(mean)


def test_a_codebook_without_any_example_works(model_folder):
    bare = Codebook("bare", (Code("a", "Bed", "At the bed."), Code("b", "Money", "The budget.")))
    coder = fake.model(model_folder).coder(bare)
    found = coder.probabilities(fake.Words().encode(["at the bed", "the budget"]))
    assert found.argmax(1).tolist() == [0, 1]


def test_the_likest_example_and_the_mean_by_hand():
    prototypes = Prototypes(("a", "b"), np.eye(2), np.array([[1.0, 0], [0, 1], [0, 1]]), np.array([0, 0, 1]))
    features = prototypes.features(np.array([[1.0, 0.0]]))
    assert features[0].tolist() == [[1, 1, 0.5, 0.25], [0, 0, 0, -0.25]]


def test_calibration_weighs_likeness_up():
    generator = np.random.default_rng(2)
    features = generator.random((300, 5, 4))
    present = features.mean(2) > 0.6
    found = calibrate([(features, present, np.ones_like(present))])
    assert min(found.weights) > 0
    assert 0 <= found.unsure_from <= found.threshold <= found.unsure_to <= 1


def test_every_coder_has_one_threshold_and_band_a_code(model_folder):
    model = fake.model(model_folder)
    for name in ("valence", "npt"):
        coder = model.coder(codebook.find(name))
        assert len(coder.codes) == len(coder.threshold) == len(coder.unsure_from) == len(coder.unsure_to)
        assert coder.codebook == name
        assert coder.origin
