"""qinlp: find what hinders and what helps a change in health care, in text, on your own machine."""

__version__ = "0.1.0"
