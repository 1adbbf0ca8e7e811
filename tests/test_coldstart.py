"""A codebook that nobody has labelled passages for codes at once."""

import numpy as np
import pytest

import fake
from qinlp import codebook
from qinlp.codebook import Code, Codebook
from qinlp.coding.coldstart import FEATURES, ColdStart, Prototypes, Similarity, calibrate

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


def test_a_codebook_without_any_example_works(model_folder):
    bare = Codebook("bare", (Code("a", "Bed", "At the bed."), Code("b", "Money", "The budget.")))
    coder = fake.model(model_folder).coder(bare)
    found = coder.probabilities(fake.Words().encode(["at the bed", "the budget"]))
    assert found.argmax(1).tolist() == [0, 1]


def test_a_codebook_of_one_code_goes_by_its_definition():
    words = fake.Words()
    one = Codebook("one", (Code("a", "Bed", "At the bed of the patient."),))
    features = Prototypes.of(one, words).features(words.encode(["at the bed of the patient", "no money"]))
    assert features[0, 0, 0] > features[1, 0, 0]


def test_two_codes_with_the_same_words_are_alike_and_finite():
    words = fake.Words()
    twins = Codebook("twins", (Code("a", "Bed", "At the bed."), Code("b", "Bed", "At the bed.")))
    features = Prototypes.of(twins, words).features(words.encode(["at the bed"]))
    assert np.isfinite(features).all()
    assert features[0, 0] == pytest.approx(features[0, 1])


@pytest.mark.parametrize("more", [1, 4, 16])
def test_the_more_examples_the_less_the_definition_counts(more):
    """Code a is defined by the first axis; its examples all lie on the third."""
    axes = np.eye(4)
    held = np.array([[True, False], [False, True]] * more)
    found = [
        Prototypes.fit("ab", axes[:2], np.tile(axes[2:], (n, 1)), held[: 2 * n]).features(axes)
        for n in (0, more)
    ]
    likeness = [features[:, 0, 0] for features in found]
    assert likeness[1][2] > likeness[0][2]
    assert (likeness[1][2] - likeness[1][3] > likeness[1][0] - likeness[1][1]) == (more > 4)


def test_an_example_of_two_codes_speaks_for_both():
    words = fake.Words()
    said = "No budget for courses."
    both = Codebook(
        "both",
        (
            Code("money", "Money", "Funding.", examples=(said,)),
            Code("training", "Training", "Teaching.", examples=(said,)),
            Code("bed", "Bed", "Beds.", examples=("The bed is old.",)),
        ),
    )
    words.encoded.clear()
    features = Prototypes.of(both, words).features(words.encode([said]))[0, :, 0]
    assert words.encoded.count(said) == 2  # once as an example, once as the passage
    assert min(features[:2]) > features[2]


def test_the_second_likeness_is_the_first_less_its_mean():
    generator = np.random.default_rng(1)
    made = Prototypes.fit("abc", generator.random((3, 5)), np.zeros((0, 5)), np.zeros((0, 3), bool))
    features = made.features(generator.random((4, 5)))
    assert features.shape == (4, 3, FEATURES)
    assert features[:, :, 1] == pytest.approx(features[:, :, 0] - features[:, :, 0].mean(1, keepdims=True))


def test_calibration_weighs_likeness_up():
    generator = np.random.default_rng(2)
    features = generator.random((300, 5, FEATURES))
    present = features.mean(2) > 0.6
    found = calibrate([(features, present, np.ones_like(present))])
    assert min(found.weights) > 0
    assert 0 <= found.unsure_from <= found.threshold <= found.unsure_to <= 1


def test_a_cell_that_is_disputed_is_left_out_of_calibration():
    generator = np.random.default_rng(3)
    features = generator.random((200, 4, FEATURES))
    present = features.mean(2) > 0.5
    wrong = present.copy()
    wrong[:50] = ~wrong[:50]
    counted = np.ones_like(present)
    counted[:50] = False
    assert calibrate([(features, wrong, counted)]) == calibrate([(features[50:], present[50:], counted[50:])])


def test_a_probability_grows_with_likeness():
    words = fake.Words()
    coder = ColdStart(BOOK, words, Similarity((4.0, 2.0), -1.0, 0.5, 0.3, 0.7))
    vectors = words.encode(["Courses, workshops and teaching.", "Courses in the garden.", "A grey sky."])
    found = coder.probabilities(vectors)[:, 2]
    assert found[0] > found[1] > found[2]


def test_every_coder_has_one_threshold_and_band_a_code(model_folder):
    model = fake.model(model_folder)
    for name in ("valence", "npt"):
        coder = model.coder(codebook.find(name))
        assert len(coder.codes) == len(coder.threshold) == len(coder.unsure_from) == len(coder.unsure_to)
        assert coder.codebook == name
        assert coder.origin
