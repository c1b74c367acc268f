"""What leaves instil: data sets that other tools load as they are.

`data.py` writes one; `targets.py` has what there is to say of each format, `rows.py` where rows come from,
`contents.py` what they turn out to hold, `licences.py` what follows from whose they are, and `card.py` the
page that says all of it. A model will be exported by a module of its own beside `data.py`.
"""
