"""Runs that take long, kept in a file of JSON lines: a table that was stopped goes on where it was."""
import json


def kept(file, key, make):
    """What `file` (None: no file) has of the run `key`, or else what make() gives, which is added to it."""
    for line in file.read_text().splitlines() if file and file.exists() else []:
        run = json.loads(line)
        if run["key"] == key:
            return run["found"]
    found = make()
    if file:
        with file.open("a") as stream:
            stream.write(json.dumps({"key": key, "found": found}) + "\n")
    return found
