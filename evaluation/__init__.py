"""What is left: attacks on prompts, suites, judges, the sweep over a ladder and its curves."""

if not __name__.startswith("erosion."):
    raise ImportError(
        f"import erosion.{__name__}, not {__name__}: two identities of one module would disagree"
    )
