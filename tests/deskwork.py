"""A queue for the review app, made from a store as the queueing step makes it, and a way into its pages."""

import csv
import re

from qinlp.codebook import find as find_codebook
from qinlp.review import house, reader
from qinlp.store import Store
from qinlp.store.desk import Item, of

ORIGIN = "http://127.0.0.1"


def passages(settings, n=1000):
    with Store(settings.database_path).read() as con:
        return [
            row[0]
            for row in con.execute(
                "SELECT passage_id FROM passages_current WHERE \"role\" IS DISTINCT FROM 'interviewer' "
                "ORDER BY document_id, ordinal LIMIT ?",
                [n],
            ).fetchall()
        ]


def lay(settings, codebook="npt", *, audit=(), notes=None, most=1000):
    """Put passages of the store into the queue; those at the places `audit` are for the audit."""
    at = house.furnish(settings, "", frozenset())
    book = find_codebook(codebook)
    items = []
    for n, name in enumerate(passages(settings, most)):
        body = dict(reader._from_store(at, codebook, name).body) | {"because": "The model is unsure here."}
        words = {
            w for code in book for s in (code.name, *code.synonyms) for w in s.lower().split() if len(w) > 4
        }
        body["cues"] = [
            [m.start(), m.end(), "cue"] for m in re.finditer(r"\w+", body["text"]) if m[0].lower() in words
        ]
        items.append(Item(codebook, float(n), name, "audit" if n in audit else "unsure", body))
    desk = of(settings.database_path)
    desk.lay(codebook, items, notes or {})
    return desk


def fields(html, form="coding"):
    """Return the fields of a form of a page as a browser would send them: [(name, value)]."""
    inside = re.search(rf'<form[^>]*id="{form}".*?</form>', html, re.DOTALL)[0]
    return [
        (attribute(tag, "name"), attribute(tag, "value"))
        for tag in re.findall(r"<input[^>]*>", inside)
        if 'type="hidden"' in tag or " checked" in tag
    ]


def attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""


def nasty_project(folder, text):
    """Write a project whose document, title and speaker are as bad as text can be."""
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text('[coding]\ncodebooks = ["valence", "npt"]\n', "utf-8")
    words = f"{text} We had no time for any of it at night. {text} The coach helped us a lot with it."
    with (folder / "documents" / "nasty.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["title", "abstract", "journal", "year"])
        table.writerow([text, words, text, "2020"])
    return folder
