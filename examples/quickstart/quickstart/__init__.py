"""The quickstart: soft labels on non-IID digits, with pay."""
