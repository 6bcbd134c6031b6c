#!/usr/bin/env python3
"""Make the bench faxes: 240 pages of twelve form families at five levels of damage, each with what is printed on it beside it.

    make.py OUT [--seed N] [--only tune|held-back] [--family NAME]

OUT/NAME.pdf or NAME.tif, and OUT/NAME.json: {"file", "family", "set", "level", "country", "pages", "printed": {path: value}}.
The same seed gives the same pages. Nobody on them exists. Needs Python, the Debian package fonts-dejavu-core, and requirements.txt.
"""
import argparse
import json
import random
import zlib
from pathlib import Path

import numpy as np

import families_held_back
import families_tune
import paper
import people

PAGES_A_LEVEL = 4
SETS = {"tune": families_tune.FAMILIES, "held-back": families_held_back.FAMILIES}


def printed(truth, values, keys):
    kept = {path: value for path, value in truth.items() if any(path == key or path.startswith(key + ".") for key in keys)}
    # A family may print fewer of them than there are.
    if "request.diagnoses" in kept:
        kept["request.diagnoses"] = [code for code, _ in values["codes"]]
    if "notes.medications" in kept:
        kept["notes.medications"] = values["medications"]
    if "referred_to" not in keys and "referred_to.organization" not in keys:
        kept.pop("referred_to.organization", None)
    return kept


def make(family, which, level, number, seed, out):
    """One fax; gives how many pages it has."""
    name = f"{family.__name__}-{level}-{number + 1}"
    own = zlib.crc32(f"{seed} {name}".encode())
    rng, generator = random.Random(own), np.random.default_rng(own)
    country = families_held_back.COUNTRIES.get(family.__name__, "US")
    values, truth = people.referral(rng, country)
    images, keys = family(rng, values)
    header = None if number % 2 else f"{values['written']} 1{number}:4{number}  FROM: {values['organization'].upper()[:30]}  {values['office_fax']}   P. %d/{len(images)}"
    upside = level != "clean" and number == 3
    pages = []
    for at, image in enumerate(images):
        pixels, dots = paper.degrade(image, level, generator, header and header % (at + 1))
        pages.append((np.rot90(pixels, 2) if upside else pixels, dots))
    stored = paper.STORED[level][number % len(paper.STORED[level])]
    file = paper.store(pages, out / name, stored)
    case = {"file": file, "family": family.__name__, "set": which, "level": level, "country": country, "stored": stored, "pages": len(pages),
            "printed": printed(truth, values, keys)}
    (out / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")
    return len(pages)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=SETS)
    parser.add_argument("--family")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for which, families in SETS.items():
        for family in families:
            if chosen.only not in (None, which) or chosen.family not in (None, family.__name__):
                continue
            for level in paper.LEVELS:
                number = pages = 0
                while pages < PAGES_A_LEVEL:
                    pages += make(family, which, level, number, chosen.seed, chosen.out)
                    number += 1
                total += pages
    print(f"{total} pages in {chosen.out}")


main()
