"""Tables of what is to be said of pictures: a file's name and its label, or text, a line."""

import csv
from collections.abc import Sequence
from pathlib import Path

HEADINGS = frozenset({"file", "filename", "file_name", "image", "name", "path", "picture"})
"""First words of a first line that names its columns."""


def read_table(path: Path) -> dict[str, str]:
    """What a csv file says of each picture: its first column has their names, its second what is said of them.

    A first line that names the columns, as `file,label`, is left out, and so are empty lines and further columns.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table, or says two things of one picture.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}: check the path.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no csv file ({error}): save the table as csv, in UTF-8.") from error
    rows = rows[1:] if rows and rows[0][0].strip().lower() in HEADINGS else rows
    said: dict[str, str] = {}
    for row in rows:
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise ValueError(f"{path} has the line {','.join(row)!r}: a line is a picture's name and its label.")
        name, text = row[0].strip(), row[1].strip()
        if said.setdefault(name, text) != text:
            raise ValueError(f"{path} says both {said[name]!r} and {text!r} of {name}: leave one out.")
    if not said:
        raise ValueError(f"{path} says nothing: a line is a picture's name and its label.")
    return said


def said_of(paths: Sequence[Path], root: Path, said: dict[str, str]) -> list[str]:
    """What a table says of pictures below a folder, of which it has the paths from there or the mere names.

    Raises:
        ValueError: if it says nothing of one of them.
    """
    found = []
    for path in paths:
        texts = [said[name] for name in (path.relative_to(root).as_posix(), path.name) if name in said]
        if not texts:
            raise ValueError(f"The table says nothing of {path}: add a line for it, or remove the picture.")
        found.append(texts[0])
    return found
