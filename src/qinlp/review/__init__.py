"""Review by people: what they are given, the pages they work on, how far they have come."""
