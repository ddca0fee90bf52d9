"""What holds: defences, each one file."""

if not __name__.startswith("erosion."):
    raise ImportError(
        f"import erosion.{__name__}, not {__name__}: two identities of one module would disagree"
    )
