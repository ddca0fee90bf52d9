"""What explains a curve: measurements on two models' distributions rather than on one's answers."""
