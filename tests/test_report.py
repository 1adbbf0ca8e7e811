"""The report of a run: what it shows, and what it must not."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from qinlp import report, steps
from qinlp.config import Config
from qinlp.store.append import Arrived


def project(tmp_path, name="ward study"):
    return Config(folder=tmp_path, name=name)


def table_rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_name_or_reason_breaks_a_table_or_opens_markup(source, said):
    text = report.markdown(
        report.Outcome(),
        Config(folder=None, name="x"),
        [{"source": source, "record": said, "reason": said}],
    )
    [head, rule, row] = table_rows(text)
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == head.count("|") == 4
    assert rule == "| --- | --- | --- |"
    inner = row.replace("\\\\", "")
    assert not any(inner.replace(f"\\{sign}", "").count(sign) for sign in "`*_[]<")


@given(st.text(), st.sampled_from(["({})", "'{}'", '"{}"', "“{}”"]))
def test_a_reason_ends_before_what_it_quotes(quoted, form):
    said = f"kari.txt: not a table {form.format(quoted)}; save it again {quoted}"
    assert report.reason("kari.txt", said) == "not a table …"


def test_a_reason_that_quotes_nothing_stays_whole():
    said = "the record has neither title nor abstract; see the file's own page"
    assert report.reason("a.ris", said) == said


def test_the_report_counts_what_came(tmp_path):
    found = steps.Found(
        "falls", date(2026, 11, 18), date(2026, 11, 25), records=1234, arrived=Arrived(1000, 4, 230, 9000),
        requests=13, bytes_in=5_000_000, bytes_out=2_000,
    )  # fmt: skip
    outcome = report.Outcome(
        (found,), coded=steps.Coded(10, 9, 80), measured=steps.Measured(departures=("half as many",))
    )
    text = report.markdown(outcome, project(tmp_path), [])
    assert (
        "| falls \\(?\\) | 2026-11-18 to 2026-11-25 | 1,234 | 1,000 | 4 | 230 | 9,000 | 0 | 13 | 2,000 "
        "| 5,000,000 |"
    ) in text
    assert "9 passages, 80 codings, 10 vectors computed." in text
    assert "- half as many" in text
    assert "Quarantine" not in text
    assert "Failed" not in text
    down = replace(outcome, failures=(report.Failure("search falls", "no answer"),))
    assert "| search falls | no answer |" in report.markdown(down, project(tmp_path), [])


def test_a_long_quarantine_is_cut_and_says_so(tmp_path):
    entries = [{"source": f"{n}.ris", "record": "", "reason": "empty"} for n in range(report.ENTRIES + 5)]
    text = report.markdown(report.Outcome(), project(tmp_path), entries)
    assert len(table_rows(text)) == report.ENTRIES + 2
    assert "and 5 more" in text


def test_reports_are_kept_by_project_under_a_name_that_prefect_allows(tmp_path):
    assert (
        report.key("nightly", project(tmp_path, "Ward 3: fælles/study"))
        == "qinlp-nightly-ward-3-f-lles-study"
    )
    assert report.key("nightly", project(tmp_path, "病棟")) == "qinlp-nightly"
