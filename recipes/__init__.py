"""What is studied: recipes, the chat renderer, data sources and the embedded model."""

if not __name__.startswith("erosion."):
    raise ImportError(
        f"import erosion.{__name__}, not {__name__}: two identities of one module would disagree"
    )
