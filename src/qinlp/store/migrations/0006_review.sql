-- Review: who went through which passage, what they said of its codes, and what they took back.

ALTER TABLE judgements ADD COLUMN review_id VARCHAR;
ALTER TABLE judgements ADD COLUMN adjudicates BOOLEAN DEFAULT false;
COMMENT ON COLUMN judgements.review_id IS 'The review it was said in; empty where it came in from elsewhere.';
COMMENT ON COLUMN judgements.adjudicates IS 'Whether it decides between coders.';

CREATE TABLE reviews (
  review_id VARCHAR PRIMARY KEY,
  passage_id VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  codebook_hash VARCHAR NOT NULL,
  coder VARCHAR NOT NULL,
  status VARCHAR NOT NULL,
  adjudicates BOOLEAN NOT NULL,
  memo VARCHAR NOT NULL,
  seconds DOUBLE,
  why VARCHAR NOT NULL,
  strategy VARCHAR NOT NULL,
  reviewed_at TIMESTAMPTZ NOT NULL,
  run_id VARCHAR NOT NULL
);
COMMENT ON TABLE reviews IS 'One row a time that a person went through a passage with a codebook. Never changed; a later one of the same coder supersedes.';
COMMENT ON COLUMN reviews.review_id IS 'Names the review.';
COMMENT ON COLUMN reviews.passage_id IS 'The passage.';
COMMENT ON COLUMN reviews.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN reviews.codebook_hash IS 'The codebook version that the coder read; see codebooks.';
COMMENT ON COLUMN reviews.coder IS 'Who reviewed.';
COMMENT ON COLUMN reviews.status IS 'coded: every code that they did not give, they hold absent; skipped or flagged: they said nothing of codes.';
COMMENT ON COLUMN reviews.adjudicates IS 'Whether it decides between coders.';
COMMENT ON COLUMN reviews.memo IS 'Their note.';
COMMENT ON COLUMN reviews.seconds IS 'How long the passage was before them.';
COMMENT ON COLUMN reviews.why IS 'Why they were given it: unsure, audit, double, adjudicate or reader.';
COMMENT ON COLUMN reviews.strategy IS 'The strategy that ordered the queue.';
COMMENT ON COLUMN reviews.reviewed_at IS 'When they were done.';
COMMENT ON COLUMN reviews.run_id IS 'The run that carried it here from the desk.';

CREATE TABLE recuts (
  recut_id VARCHAR NOT NULL,
  passage_id VARCHAR NOT NULL,
  part VARCHAR NOT NULL,
  made BOOLEAN NOT NULL,
  coder VARCHAR NOT NULL,
  recut_at TIMESTAMPTZ NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (recut_id, passage_id)
);
COMMENT ON TABLE recuts IS 'One row a passage that a person split, merged or made by that.';
COMMENT ON COLUMN recuts.recut_id IS 'Names the split or merge.';
COMMENT ON COLUMN recuts.passage_id IS 'The passage.';
COMMENT ON COLUMN recuts.part IS 'old: it stood before; new: it stands instead.';
COMMENT ON COLUMN recuts.made IS 'Whether the passage was made by this recut; false where it was there before.';
COMMENT ON COLUMN recuts.coder IS 'Who did it.';
COMMENT ON COLUMN recuts.recut_at IS 'When.';
COMMENT ON COLUMN recuts.run_id IS 'The run that carried it here from the desk.';

CREATE TABLE withdrawn (
  act_id VARCHAR NOT NULL,
  coder VARCHAR NOT NULL,
  withdrawn_at TIMESTAMPTZ NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (act_id, coder)
);
COMMENT ON TABLE withdrawn IS 'One row a review or recut that its coder took back.';
COMMENT ON COLUMN withdrawn.act_id IS 'The review_id or recut_id taken back.';
COMMENT ON COLUMN withdrawn.coder IS 'Who took it back; it holds only if it was theirs.';
COMMENT ON COLUMN withdrawn.withdrawn_at IS 'When.';
COMMENT ON COLUMN withdrawn.run_id IS 'The run that carried it here from the desk.';

CREATE TABLE carried (
  desk VARCHAR NOT NULL,
  seq UBIGINT NOT NULL,
  run_id VARCHAR NOT NULL,
  carried_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (desk, seq)
);
COMMENT ON TABLE carried IS 'One row a batch of acts carried over from a reviewers'' desk, written with them.';
COMMENT ON COLUMN carried.desk IS 'Names the desk.';
COMMENT ON COLUMN carried.seq IS 'The last act carried; all before it are here too.';
COMMENT ON COLUMN carried.run_id IS 'The run.';
COMMENT ON COLUMN carried.carried_at IS 'When.';

-- Passages ---------------------------------------------------------------------------------------

CREATE VIEW passages_gone AS
WITH valid AS (
  SELECT r.passage_id, arg_max(r.part, r.rowid) AS part
  FROM recuts r ANTI JOIN withdrawn w ON w.act_id = r.recut_id AND w.coder = r.coder GROUP BY r.passage_id
)
SELECT passage_id FROM (SELECT passage_id, bool_or(made) AS made FROM recuts GROUP BY passage_id)
LEFT JOIN valid USING (passage_id) WHERE coalesce(part = 'old', made);
COMMENT ON VIEW passages_gone IS 'One row a passage that stands no more: the latest recut that counts cut it up, or all recuts that made it were taken back.';

CREATE OR REPLACE VIEW passages_current AS
SELECT p.* FROM passages p
SEMI JOIN documents_current d ON p.document_id = d.document_id AND p.text_hash = d.text_hash
ANTI JOIN passages_gone gone ON gone.passage_id = p.passage_id;
COMMENT ON VIEW passages_current IS 'One row a passage of the newest version of a document; what people split or merged stands as they cut it.';

CREATE VIEW passages_moved AS
SELECT p.passage_id, min(q.passage_id) AS now_id
FROM (SELECT passage_id FROM judgements UNION SELECT passage_id FROM reviews) j JOIN passages p USING (passage_id)
JOIN same_document m ON m.document_id = p.document_id AND m.document_id <> m.canonical_id
JOIN documents_current d ON d.document_id = m.canonical_id
JOIN passages q ON q.document_id = d.document_id AND q.text_hash = d.text_hash AND q.input_hash = p.input_hash
GROUP BY p.passage_id;
COMMENT ON VIEW passages_moved IS 'One row a passage that people judged in a paper''s other text, and the passage with the same words in the text that stands for both.';
COMMENT ON COLUMN passages_moved.passage_id IS 'The passage that was judged.';
COMMENT ON COLUMN passages_moved.now_id IS 'The passage that the judgement holds for.';

-- What people hold -------------------------------------------------------------------------------

CREATE VIEW reviews_current AS
SELECT review_id, coalesce(now_id, r.passage_id) AS passage_id, codebook, codebook_hash, r.coder, status,
  adjudicates, memo, seconds, why, strategy, reviewed_at, r.run_id
FROM reviews r ANTI JOIN withdrawn w ON w.act_id = r.review_id AND w.coder = r.coder
LEFT JOIN passages_moved m ON m.passage_id = r.passage_id
QUALIFY row_number() OVER (
  PARTITION BY coalesce(now_id, r.passage_id), codebook, r.coder, adjudicates
  ORDER BY reviewed_at DESC, review_id DESC) = 1;
COMMENT ON VIEW reviews_current IS 'One row a passage, codebook and coder: their latest review of it that they did not take back.';

CREATE VIEW judgements_by_coder AS
WITH coded_by AS (
  SELECT * FROM reviews_current WHERE status = 'coded'
), said AS (
  SELECT coalesce(now_id, j.passage_id) AS passage_id, j.codebook, j.code, j.coder, j.present,
    coalesce(j.adjudicates, false) AS adjudicates, j.memo, j.judged_at, j.judgement_id, j.review_id
  FROM judgements j LEFT JOIN passages_moved m ON m.passage_id = j.passage_id
  WHERE j.review_id IS NULL OR j.review_id IN (SELECT review_id FROM coded_by)
  QUALIFY row_number() OVER (
    PARTITION BY coalesce(now_id, j.passage_id), j.codebook, j.code, j.coder, coalesce(j.adjudicates, false)
    ORDER BY j.judged_at DESC, j.judgement_id DESC) = 1
)
FROM said
UNION ALL
SELECT asked.passage_id, asked.codebook, asked.code, r.coder, false, r.adjudicates, r.memo, r.reviewed_at, '',
  r.review_id
FROM (SELECT DISTINCT passage_id, codebook, code FROM said) asked
JOIN coded_by r USING (passage_id, codebook)
ANTI JOIN said ON said.passage_id = asked.passage_id AND said.codebook = asked.codebook
  AND said.code = asked.code AND said.coder = r.coder AND said.adjudicates = r.adjudicates;
COMMENT ON VIEW judgements_by_coder IS 'One row a passage, code and coder: what they hold now; a code that they did not give in a whole review is absent.';
COMMENT ON COLUMN judgements_by_coder.passage_id IS 'The passage; of a paper''s other text, the one with the same words.';
COMMENT ON COLUMN judgements_by_coder.coder IS 'Who judged.';
COMMENT ON COLUMN judgements_by_coder.review_id IS 'The review it was said in, or that left it out; empty where it came in from elsewhere.';

CREATE OR REPLACE VIEW judgements_current AS
SELECT passage_id, codebook, code,
  arg_max(present, ranked) AS present, arg_max(coder, ranked) AS coder, arg_max(memo, ranked) AS memo,
  arg_max(judged_at, ranked) AS judged_at, arg_max(adjudicates, ranked) AS adjudicates,
  NOT bool_or(adjudicates) AND count(DISTINCT present) > 1 AS disputed
FROM (
  SELECT *, {'adjudicates': adjudicates, 'at': judged_at, 'id': judgement_id} AS ranked FROM judgements_by_coder
)
GROUP BY ALL;
COMMENT ON VIEW judgements_current IS 'One row a passage and code that people judged: what was adjudicated, else the latest judgement. One of a paper''s other text holds for the passage with the same words.';
COMMENT ON COLUMN judgements_current.disputed IS 'Whether coders contradict each other and nobody has decided yet.';

CREATE TABLE promotions (
  run_id VARCHAR NOT NULL,
  model VARCHAR NOT NULL,
  fingerprint VARCHAR NOT NULL,
  replaces VARCHAR NOT NULL,
  configured VARCHAR NOT NULL,
  why VARCHAR NOT NULL,
  comparison JSON NOT NULL,
  promoted_by VARCHAR NOT NULL,
  promoted_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE promotions IS 'One row a time that another model was taken into use than qinlp.toml names. Never changed; a later one supersedes.';
COMMENT ON COLUMN promotions.run_id IS 'The run that trained or promoted it; ids sort by time.';
COMMENT ON COLUMN promotions.model IS 'The model in use from then on: its folder under models/.';
COMMENT ON COLUMN promotions.fingerprint IS 'Hash of its heads and its cold start.';
COMMENT ON COLUMN promotions.replaces IS 'The model in use before.';
COMMENT ON COLUMN promotions.configured IS 'coding.model of qinlp.toml at that time; while it names another, that one is in use.';
COMMENT ON COLUMN promotions.why IS 'better (it was compared), by hand or rollback.';
COMMENT ON COLUMN promotions.comparison IS 'By codebook: macro-F1 before and now, difference with its 95% interval, passages and documents compared on.';
COMMENT ON COLUMN promotions.promoted_by IS 'The person; empty where training did.';
COMMENT ON COLUMN promotions.promoted_at IS 'When.';

CREATE VIEW model_in_use AS
SELECT * FROM promotions QUALIFY row_number() OVER (PARTITION BY configured ORDER BY run_id DESC) = 1;
COMMENT ON VIEW model_in_use IS 'One row a model that qinlp.toml named when others were promoted, and the one that is used instead of it.';

CREATE VIEW coding_changes AS
WITH worked AS MATERIALIZED (
  SELECT codebook, coder, run_id FROM coded GROUP BY codebook, coder, run_id
), pair AS (
  SELECT codebook, max_by(coder, run_id) AS coder, max_by(coder, run_id, 2)[2] AS coder_before
  FROM (SELECT codebook, coder, max(run_id) AS run_id FROM worked GROUP BY codebook, coder)
  GROUP BY codebook HAVING count(*) > 1
), side AS MATERIALIZED (
  SELECT codebook, run_id, worked.coder = pair.coder AS is_now
  FROM pair JOIN worked USING (codebook) WHERE worked.coder IN (pair.coder, coder_before)
), decided AS (
  SELECT passage_id, codebook, code, bool_or(is_now) AS decision
  FROM codings JOIN side USING (codebook, run_id) WHERE codings.decision
  GROUP BY passage_id, codebook, code HAVING bool_and(is_now) = bool_or(is_now)
), compared AS (
  SELECT decided.* FROM decided JOIN pair USING (codebook)
  SEMI JOIN coded other ON other.passage_id = decided.passage_id AND other.codebook = decided.codebook
    AND other.coder = CASE WHEN decision THEN coder_before ELSE pair.coder END
), said AS (
  SELECT passage_id, codebook, code, bool_or(compared.decision) AS decision,
    max(probability) FILTER (is_now) AS probability, max(probability) FILTER (NOT is_now) AS probability_before
  FROM compared JOIN codings c USING (passage_id, codebook, code) JOIN side USING (codebook, run_id)
  GROUP BY passage_id, codebook, code
), changed AS (
  SELECT said.*, NOT decision AS decision_before, pair.coder, coder_before,
    b.threshold AS threshold_before, n.threshold AS threshold,
    coalesce(probability_before, 0) AS p, coalesce(probability, 0) AS q
  FROM said JOIN pair USING (codebook)
  LEFT JOIN thresholds b ON b.coder = coder_before AND b.codebook = said.codebook AND b.code = said.code
  LEFT JOIN thresholds n ON n.coder = pair.coder AND n.codebook = said.codebook AND n.code = said.code
)
SELECT t.document_id, t.passage_id, codebook, code, t.text, coder_before, coder, probability_before, probability,
  threshold_before, threshold, decision_before, decision,
  CASE
    WHEN changed.threshold IS NULL OR threshold_before IS NULL THEN 'only one of them knows the code'
    WHEN (p >= threshold_before) <> decision_before OR (q >= changed.threshold) <> decision THEN 'other codes'
    WHEN (p >= changed.threshold) = (q >= threshold_before) THEN 'both moved'
    WHEN (p >= changed.threshold) = decision THEN 'threshold moved'
    ELSE 'probability moved'
  END AS why
FROM changed JOIN passages t USING (passage_id);
COMMENT ON VIEW coding_changes IS 'One row a passage and code that the last two coders of a codebook decided otherwise.';
COMMENT ON COLUMN coding_changes.document_id IS 'The document that the passage stands in.';
COMMENT ON COLUMN coding_changes.passage_id IS 'The passage.';
COMMENT ON COLUMN coding_changes.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN coding_changes.code IS 'The code''s id within the codebook.';
COMMENT ON COLUMN coding_changes.text IS 'The words of the passage.';
COMMENT ON COLUMN coding_changes.coder_before IS 'The machine coder before: model and fingerprint.';
COMMENT ON COLUMN coding_changes.coder IS 'The machine coder that coded last.';
COMMENT ON COLUMN coding_changes.probability_before IS 'What the coder before held of it; empty where too little to be kept.';
COMMENT ON COLUMN coding_changes.probability IS 'What the last coder holds of it; empty where too little to be kept.';
COMMENT ON COLUMN coding_changes.threshold_before IS 'Where the coder before decided; empty where it did not know the code.';
COMMENT ON COLUMN coding_changes.threshold IS 'Where the last coder decides; empty where it does not know the code.';
COMMENT ON COLUMN coding_changes.decision_before IS 'Whether the passage held the code.';
COMMENT ON COLUMN coding_changes.decision IS 'Whether it holds it now.';
COMMENT ON COLUMN coding_changes.why IS 'probability moved or threshold moved (that alone decides otherwise), both moved, other codes (its parts, or in an exclusive codebook a likelier code), or only one of them knows the code.';

CREATE VIEW reviewed AS
SELECT DISTINCT passage_id, codebook FROM reviews_current WHERE status = 'coded';
COMMENT ON VIEW reviewed IS 'One row a passage and codebook that a person went through whole: there the machine coder counts no more.';
COMMENT ON COLUMN reviewed.passage_id IS 'The passage.';
COMMENT ON COLUMN reviewed.codebook IS 'The codebook''s id.';

-- Both together ----------------------------------------------------------------------------------

CREATE OR REPLACE VIEW coded_passages AS
WITH decided AS (
  SELECT c.passage_id, c.codebook, c.code, c.probability, 'model' AS decided_by, c.coder
  FROM codings_current c ANTI JOIN judgements_current j
    ON c.passage_id = j.passage_id AND c.codebook = j.codebook AND c.code = j.code
  ANTI JOIN reviewed r ON c.passage_id = r.passage_id AND c.codebook = r.codebook
  WHERE c.decision
  UNION ALL
  SELECT j.passage_id, j.codebook, j.code, c.probability, 'human', j.coder
  FROM judgements_current j LEFT JOIN codings_current c USING (passage_id, codebook, code)
  WHERE j.present
)
SELECT p.document_id, p.passage_id, d.title, d.year, d.kind, p.section, p.speaker, p."role", p.text,
  decided.codebook, decided.code, t.name AS code_name, t.parent AS code_parent,
  decided.probability, decided.decided_by, decided.coder,
  p.ordinal, p."start", p."end", p.context, d.source
FROM decided
JOIN passages p USING (passage_id)
JOIN documents_current d ON d.document_id = p.document_id AND d.text_hash = p.text_hash
ANTI JOIN passages_gone gone ON gone.passage_id = p.passage_id
LEFT JOIN code_tree t ON t.codebook = decided.codebook AND t.code = decided.code;
COMMENT ON VIEW coded_passages IS 'One row a passage and a code it holds: what people judged, and what the machine decided where nobody went through the passage or judged the code.';
COMMENT ON COLUMN coded_passages.document_id IS 'The document that the passage stands in.';
COMMENT ON COLUMN coded_passages.passage_id IS 'The passage; comes again with every code that it holds.';
COMMENT ON COLUMN coded_passages.text IS 'The words of the passage.';
COMMENT ON COLUMN coded_passages.code IS 'The code''s id within the codebook, such as inr.resources.';
COMMENT ON COLUMN coded_passages.code_name IS 'Name of the code.';
COMMENT ON COLUMN coded_passages.code_parent IS 'The code it is part of.';
COMMENT ON COLUMN coded_passages.probability IS 'The machine coder''s calibrated probability; empty where it gave none.';
COMMENT ON COLUMN coded_passages.decided_by IS 'human or model.';
COMMENT ON COLUMN coded_passages.coder IS 'The person, or the model and its fingerprint.';

CREATE OR REPLACE VIEW review_queue AS
SELECT p.document_id, p.passage_id, u.codebook, p.text, p.context, p.speaker, p.section, u.codes, u.margin
FROM (
  SELECT c.passage_id, c.codebook,
    list({'code': c.code, 'probability': c.probability} ORDER BY abs(c.probability - t.threshold)) AS codes,
    min(abs(c.probability - t.threshold)) AS margin
  FROM codings_current c
  JOIN thresholds t ON t.coder = c.coder AND t.codebook = c.codebook AND t.code = c.code
  ANTI JOIN judgements_current j
    ON c.passage_id = j.passage_id AND c.codebook = j.codebook AND c.code = j.code
  ANTI JOIN reviewed r ON c.passage_id = r.passage_id AND c.codebook = r.codebook
  WHERE c.probability BETWEEN t.unsure_from AND t.unsure_to
  GROUP BY c.passage_id, c.codebook
) u
JOIN passages_current p USING (passage_id);
COMMENT ON VIEW review_queue IS 'One row a passage and codebook that waits for a person, because the model is unsure of a code and nobody went through it.';
COMMENT ON COLUMN review_queue.document_id IS 'The document that the passage stands in.';
COMMENT ON COLUMN review_queue.passage_id IS 'The passage.';
COMMENT ON COLUMN review_queue.text IS 'The words of the passage.';
COMMENT ON COLUMN review_queue.codes IS 'The codes it is unsure of, nearest to their threshold first: code, probability.';
COMMENT ON COLUMN review_queue.margin IS 'Distance of the nearest one from its threshold; sort by it.';
