"""From coded passages to findings: numbers with their denominators, intervals and methods."""
