"""The embedded model as an instrument: the properties it was built to have, measured."""
