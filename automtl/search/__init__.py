"""What searches, and what people call to search: `automtl.search(spec, data=frame)`.

`help(automtl.public.calls.search)` says what each argument means; the command line calls it
`automtl search SPEC`.
"""
