"""Workers, validators and miners in turn."""
