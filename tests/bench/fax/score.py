#!/usr/bin/env python3
"""Score what is read of the bench faxes, by family and level, and how well the confidences are calibrated.

    score.py DIR [--only tune|held-back] [--family NAME] [--level NAME] [--every N] [-v] [--jobs N] -- COMMAND [ARG ...]

COMMAND gets a file's path as its last argument and prints JSON with the referral record under "record", as `loopline try FILE` does.
A fax of another country is tried with `--channel bench-COUNTRY` (channels/ beside this script) and that region.

  right, missing, wrong   of the fields that are printed
  silent                  wrong, and the very field is not in record.review
  invented                a value for a field that is not printed, not in record.review
  marked                  right, and yet in record.review
  held                    faxes, of all, that wait for a person before anything is sent on
"""
import argparse
import concurrent.futures
import difflib
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ["right", "missing", "wrong", "silent", "invented", "marked"]
COUNTED = KINDS + ["faxes", "held"]
# Path in the truth: path in the record's evidence and review.
FIELDS = {
    "patient.name.family": "patient.name.family", "patient.name.given": "patient.name.given", "patient.birth_date": "patient.birth_date", "patient.sex": "patient.sex",
    "patient.phone": None, "patient.address.line": "patient.address.lines.0", "patient.address.city": "patient.address.city", "patient.address.state": "patient.address.state",
    "patient.address.postal_code": "patient.address.postal_code", "patient.mrn": "patient.identifiers.0.value", "insurance.payer": "insurance.0.payer",
    "insurance.member_id": "insurance.0.member_id", "insurance.group": "insurance.0.group", "authorization.number": "authorization.number",
    "referring.name.family": "referring.name.family", "referring.name.given": "referring.name.given", "referring.npi": "referring.npi",
    "referring.organization": "referring.organization", "referring.phone": None, "referring.fax": None, "referred_to.specialty": "referred_to.specialty",
    "referred_to.organization": "referred_to.organization", "priority": "priority", "request.reason": "request.reason", "request.diagnoses": None,
    "request.procedures": None, "notes.allergies": None, "notes.medications": None,
}
# Where a cover page, a letterhead or an addressee names it too, whether or not the family counts it as printed.
NEVER_INVENTED = {"referred_to.organization", "referring.organization", "referring.phone", "referring.fax", "referred_to.specialty"}


def fold(text):
    return re.sub(r"[^a-z0-9]+", " ", str(text).lower()).strip()


def digits(text):
    return re.sub(r"\D", "", str(text))[-9:]


def at(node, path):
    for key in path.split("."):
        if isinstance(node, list):
            node = node[int(key)] if int(key) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, dict) else None
    return node


def found(record, field):
    """What the record says of a field, and the paths that mark it."""
    if field.endswith((".phone", ".fax")):
        who, use = field.split(".")
        for place, phone in enumerate(at(record, f"{who}.phones") or []):
            if (phone.get("use") == "fax") == (use == "fax"):
                return phone.get("number"), [f"{who}.phones.{place}.number"]
        return None, [f"{who}.phones.0.number"]
    if field in ("request.diagnoses", "request.procedures"):
        codes = [entry.get("code") for entry in at(record, field) or [] if entry.get("code")]
        return codes or None, [f"{field}.{place}.code" for place in range(max(len(codes), 1))]
    if field.startswith("notes."):
        start = field.split(".")[1].capitalize()
        for place, text in enumerate(record.get("notes") or []):
            if text.startswith(start):
                return text, [f"notes.{place}"]
        return None, []
    value = at(record, FIELDS[field])
    return (None if value == "unknown" else value), [FIELDS[field]]


def same(field, want, got):
    if field in ("request.diagnoses", "request.procedures"):
        return {fold(code) for code in want} == {fold(code) for code in got}
    if field.endswith((".phone", ".fax")):
        return digits(want) == digits(got)
    if field == "notes.medications":
        a, b = fold(" ".join(want)), fold(got).removeprefix("medications ")
        return all(fold(one) in b for one in want) or difflib.SequenceMatcher(None, a, b).ratio() >= 0.9
    if field == "notes.allergies":
        return fold(want) in fold(got)
    if field == "request.reason":
        a, b = fold(want), fold(got)
        return (a in b and len(b) < 2.5 * len(a)) or difflib.SequenceMatcher(None, a, b).ratio() >= 0.9
    if field == "referred_to.specialty":
        return fold(want) in fold(got)
    if field == "patient.name.given":
        return fold(want).split()[0] == (fold(got).split() or [""])[0]
    return fold(want) == fold(got)


def judge(case, record):
    """Counts, notes, and (confidence, right, marked) of every field with evidence."""
    counts, notes, seen = dict.fromkeys(KINDS, 0), [], []
    review = set(record.get("review") or [])
    for field in FIELDS:
        want = case["printed"].get(field)
        got, paths = found(record, field)
        marked = any(path in review for path in paths)
        empty = got in (None, "", [])
        if want is None:
            if not empty and not marked and field not in NEVER_INVENTED:
                counts["invented"] += 1
                notes.append(f"{field} invented: {got!r}")
            continue
        if empty:
            kind = "missing"
        elif same(field, want, got):
            kind = "right"
            counts["marked"] += marked
        else:
            kind = "wrong"
            counts["silent"] += not marked
        counts[kind] += 1
        sure = [entry["confidence"] for path in paths if (entry := (record.get("evidence") or {}).get(path))]
        if not empty and sure:
            seen.append((min(sure), kind == "right", marked, field))
        if kind != "right":
            notes.append(f"{field} {kind}{' (marked)' if marked else ''}: {got!r} for {want!r}")
        elif marked:
            notes.append(f"{field} marked at {min(sure, default=0)}: {got!r}")
    return counts, notes, seen


def attempt(truth, folder, command):
    case = json.loads(truth.read_text())
    file = (folder / case["file"]).resolve()
    more = [] if case["country"] == "US" else ["--channel", f"bench-{case['country'].lower()}"]
    settings = {} if case["country"] == "US" else {"LOOPLINE_CHANNELS": str(HERE / "channels"), "LOOPLINE_REGION": case["country"]}
    run = subprocess.run(command + more + [str(file)], capture_output=True, text=True, env=os.environ | settings)
    try:
        return case, json.loads(run.stdout)["record"], ""
    except (ValueError, KeyError):
        return case, None, f"exit {run.returncode} {run.stderr.strip()[-160:]}"


def row(name, n, width):
    count = max(n["right"] + n["missing"] + n["wrong"], 1)
    share = f"{100 * n['right'] / count:5.1f} %"
    print(f"{name:<{width}} {count:>6} {share:>8} {n['missing']:>8} {n['wrong']:>6} {n['silent']:>7} {n['invented']:>9} {n['marked']:>7} {100 * n['marked'] / max(n['right'], 1):5.1f} %{n['held']:>5} of {n['faxes']}")


def table(title, tallies):
    width = max(len(title), *(len(str(key)) for key in tallies))
    print(f"\n{title:<{width}} fields    right  missing  wrong  silent  invented  marked             held")
    for key in tallies:
        row(key, tallies[key], width)


def calibration(seen):
    print("\nconfidence      fields    right   wrong")
    edges = [0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1.01]
    for low, high in zip(edges, edges[1:]):
        inside = [entry for entry in seen if low <= entry[0] < high]
        if inside:
            right = sum(entry[1] for entry in inside)
            print(f"{low:.2f} to {min(high, 1):.2f} {len(inside):>9} {100 * right / len(inside):6.1f} % {len(inside) - right:>6}")
    unmarked = [entry for entry in seen if not entry[2]]
    wrong = sum(not entry[1] for entry in unmarked)
    print(f"not marked: {len(unmarked)}, wrong of them {wrong} ({100 * wrong / max(len(unmarked), 1):.2f} %)")


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["tune", "held-back"])
    parser.add_argument("--family")
    parser.add_argument("--level")
    parser.add_argument("--every", type=int, default=1, help="score one of so many")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fields", action="store_true", help="also a table by field")
    parser.add_argument("-v", action="store_true", help="say what is not right, and what is marked")
    chosen, command = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    truths = []
    for truth in sorted(chosen.folder.glob("*.json")):
        case = json.loads(truth.read_text())
        wanted = [(chosen.only, "set"), (chosen.family, "family"), (chosen.level, "level")]
        if all(want in (None, case[key]) for want, key in wanted):
            truths.append(truth)
    truths = truths[:: chosen.every]
    tally = lambda: defaultdict(lambda: dict.fromkeys(COUNTED, 0))
    families, levels, fields, every, seen, pages, broken = tally(), tally(), tally(), tally(), [], 0, 0
    began = time.time()
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        for truth, (case, record, complaint) in zip(truths, pool.map(lambda truth: attempt(truth, chosen.folder, command), truths)):
            pages += case["pages"]
            broken += record is None
            counts, notes, sure = judge(case, record or {})
            counts |= {"faxes": 1, "held": int(bool((record or {}).get("held")))}
            for kind in COUNTED:
                for group in (families[f"{case['set']} {case['family']}"], levels[case["level"]], every["all"]):
                    group[kind] += counts[kind]
            for entry in notes:
                word = entry.split(" ")
                if word[1].rstrip(":") in KINDS and word[1] != "marked":
                    fields[word[0]][word[1].rstrip(":")] += 1
                    fields[word[0]]["silent"] += word[1] == "wrong"
                elif word[1] == "marked":
                    fields[word[0]]["marked"] += 1
            seen += sure
            if chosen.v:
                print(f"{truth.stem}: {complaint}" + "".join(f"\n    {note}" for note in notes))
    table("family", families)
    table("level", levels)
    table("sum", every)
    if chosen.fields:
        print("\nfield: missing, wrong, marked")
        for field, n in sorted(fields.items(), key=lambda item: -sum(item[1].values())):
            print(f"  {field:<28} {n['missing']:>4} {n['wrong']:>4} {n['marked']:>4}")
    calibration(seen)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{len(truths)} faxes, {pages} pages, {broken} without a record; {time.time() - began:.0f} s, {(used.ru_utime + used.ru_stime) / max(pages, 1):.2f} CPU seconds a page")


main()
