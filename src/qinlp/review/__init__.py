"""What people should look at next, and how much is enough."""
