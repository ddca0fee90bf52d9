"""What was expected, in a recipe or a study, held against numbers."""
