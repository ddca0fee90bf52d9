"""Judges, one a file, in one of two forms.

Rules: `judge(completion)` gives a verdict; `VERSION` rises when a verdict would change. `NEEDS` lists fields
of a case that stored answers do not hold, such as its target: such a judge is asked only while measuring.
`TELLS` maps the metrics a judge can tell to what a higher value means where the suite asks for another;
without it a judge tells whatever the suite asks.

A model or an endpoint: `make(options)` gives an `erosion.evaluation.judging.judge.Judge` and loads nothing
before it is asked. `HONOURS` names the options it knows. `RUBRICS` maps the formats it can be asked in,
where it has several, each to what it tells. `check(options, where)` raises what can be known beforehand.
Where a run itself says something, `of_run(options, run)` is asked in place of `make`. What a judge has cost
until now is one line, its `spent`; `tokens` are those it has read and written, and its answers without a
count. `work(options, cells, tokenizer)` says what it will be asked, for `erosion plan`.
"""
