"""The processes of a run: how they start, agree, wait, fail and end."""
