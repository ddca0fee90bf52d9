"""How judges are asked: of a run's stored answers and of anyone's files, with their numbers and costs."""
