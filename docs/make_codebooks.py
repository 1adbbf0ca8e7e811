"""Write docs/codebooks.md, the reading page of the shipped codebooks: `python docs/make_codebooks.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from qinlp import codebook

if TYPE_CHECKING:
    from qinlp.codebook import Code, Codebook

PAGE = Path(__file__).with_name("codebooks.md")
FIRST = ("valence", "cfir", "npt", "tdf", "com-b")
"""These come first, the others after them by id."""

INTRODUCTION = """\
# Codebooks

<!-- Made from data/codebooks by docs/make_codebooks.py. Change the codebook, then run it again. -->

A codebook says what may be coded: each code with a definition, what belongs to it, what does not
and which code takes it instead, and passages that show how it sounds. The examples also drive the
coder for a codebook that nobody has coded with yet. A code marked *heading* groups others and is
given to no passage. Unless a codebook says "one code a passage", a passage may get several codes,
or none.

The names of codes are those of the sources. Every definition, rule and example was written for
qinlp.

## Your own codebook

Put a YAML file into the folder `codebooks/` of your project; it is found by its id, before a
shipped one of the same id. The keys are those of the shipped files (`id`, `version`, `title`,
`kind`, `exclusive`, `source`, `licence`, `codes`, and for each code `id`, `name`, `definition`,
`include`, `exclude`, `examples`, `synonyms`, `assignable`, `maps`, `codes`). An exclude rule may
name the code that takes the passage in brackets: `the price itself [inn.cost]`.

    id: handover
    version: "1.0"
    title: Handover at the bedside
    kind: theme
    codes:
    - id: interruption
      name: Interruption
      definition: Somebody or something breaks into the handover.
      exclude: [leaving out facts by oneself]
      examples:
      - The phone went four times before we had got to the second bed.

A CSV file with the columns `name,description,parent` will do for a start; ids are made of the
names. The columns `id`, `include`, `exclude`, `examples` and `synonyms` may be added, with several
entries in one cell set apart by `|`. A code needs about four examples before it can be coded by
likeness.
"""


def page(book: Codebook) -> str:
    """Return the reading page of one codebook, in Markdown."""
    lines = [f"## {book.title}", "", f"`{book.id}`, version {book.version}, {book.kind}; {_amount(book)}."]
    if book.exclusive:
        lines[-1] += " One code a passage."
    source = book.citation + (f" [doi:{book.doi}](https://doi.org/{book.doi})" if book.doi else "")
    lines += ["", f"Source: {source}", "", f"Licence: {book.licence}", ""]
    for code in book:
        lines += _section(book, code)
    return "\n".join(lines)


def whole() -> str:
    """Return the page of all shipped codebooks."""
    books = [codebook.load(path) for path in codebook.shipped_folder().glob("*.yaml")]
    books.sort(key=lambda book: (FIRST.index(book.id) if book.id in FIRST else len(FIRST), book.id))
    table = ["| codebook | title | kind | codes | examples |", "|---|---|---|---|---|"]
    for book in books:
        examples = sum(len(code.examples) for code in book)
        anchor = _anchor(book.title)
        table.append(f"| [{book.id}](#{anchor}) | {book.title} | {book.kind} | {len(book)} | {examples} |")
    shipped = "\n".join(["## Shipped codebooks", "", *table, ""])
    return "\n".join([INTRODUCTION, shipped, *(page(book) for book in books)])


def _amount(book: Codebook) -> str:
    headings = len(book) - len(book.assignable)
    text = f"{len(book.assignable)} codes"
    return text + (f" under {headings} headings" if headings else "")


def _section(book: Codebook, code: Code) -> list[str]:
    level = min(3 + len(book.ancestors(code.id)), 6)
    heading = "" if code.assignable else " *(heading)*"
    lines = [f'<a id="{book.id}-{code.id}"></a>', "", f"{'#' * level} {code.name} `{code.id}`{heading}", ""]
    lines += [code.definition, ""]
    for title, rules in (("Belongs here", code.include), ("Does not belong here", code.exclude)):
        if rules:
            lines += [f"{title}:", "", *(f"- {_linked(book, rule)}" for rule in rules), ""]
    if code.examples:
        lines += ["Examples:", "", *(f"- {example}" for example in code.examples), ""]
    if code.synonyms:
        lines += [f"Also: {', '.join(code.synonyms)}.", ""]
    for other, targets in code.maps.items():
        lines += [f"Maps to {', '.join(f'[{other}/{target}](#{other}-{target})' for target in targets)}.", ""]
    return lines


def _linked(book: Codebook, rule: str) -> str:
    return re.sub(r"\[([^\[\]\s]+)\]", rf"([\1](#{book.id}-\1))", rule)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.casefold()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(whole(), encoding="utf-8")
