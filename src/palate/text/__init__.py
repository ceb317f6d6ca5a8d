"""Preferences over texts: the loss of a language model made visible, instruction sets from long texts, alignment."""
