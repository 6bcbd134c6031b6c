#!/usr/bin/env python3
"""Makes the sample faxes of this folder. What is printed on each stands at the end of this file; README.md tells of NAME.expected.json.

Every person, practice and number is invented (telephone numbers from the 555-01xx range kept for fiction). The pages are drawn with the
font that the engine prints with, then made to look faxed: one bit a dot, a little askew, dust, a line of the sender's machine on top.
Running it again gives the same files. Needs Pillow with libtiff: `pip install pillow`.

    samples/fax-inbox/make.py
"""

import pathlib
import random

from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).resolve().parent
FONTS = HERE.parent.parent / "src" / "compose" / "fonts"
FINE, STANDARD = (204, 196), (204, 98)
# Drawn with square dots at the width of a fax page, and squeezed to the fax's resolution at the end.
DPI, WIDTH, HEIGHT = 204, 1728, 2244


def font(points, bold=False):
    return ImageFont.truetype(FONTS / f"LiberationSans-{'Bold' if bold else 'Regular'}.ttf", round(points * DPI / 72))


class Page:
    def __init__(self):
        self.image = Image.new("L", (WIDTH, HEIGHT), 255)
        self.draw = ImageDraw.Draw(self.image)

    def text(self, x, y, words, points=11, bold=False):
        self.draw.text((x, y), words, fill=0, font=font(points, bold))
        return x + self.draw.textlength(words, font=font(points, bold))

    def center(self, y, words, points, bold=True):
        width = self.draw.textlength(words, font=font(points, bold))
        self.text((WIDTH - width) / 2, y, words, points, bold)

    def rule(self, y, left=130, right=1600):
        self.draw.line((left, y, right, y), fill=0, width=3)

    def box(self, left, top, right, bottom):
        self.draw.rectangle((left, top, right, bottom), outline=0, width=3)

    def tick(self, x, y, words, ticked):
        self.box(x, y, x + 30, y + 30)
        if ticked:
            self.draw.line((x + 5, y + 5, x + 25, y + 25), fill=0, width=5)
            self.draw.line((x + 25, y + 5, x + 5, y + 25), fill=0, width=5)
        return self.text(x + 44, y - 4, words) + 50

    def wrapped(self, x, y, words, right=1600, points=11):
        line = ""
        for word in words.split():
            if self.draw.textlength(f"{line} {word}", font=font(points)) > right - x:
                self.text(x, y, line, points)
                y, line = y + 44, ""
            line = f"{line} {word}".strip()
        self.text(x, y, line, points)
        return y + 44


def lines_of(f):
    return [
        [("Date of Referral", f["date"]), ("Priority", f["priority"]), ("Refer To", f["specialty"])],
        [
            ("Patient Name", f"{f['family']}, {f['given']}"),
            ("Date of Birth", f["birth"]),
            ("Sex", f["sex"]),
            ("Patient Phone", f["patient_phone"]),
            ("MRN", f["mrn"]),
        ],
        [("Insurance", f["payer"]), ("Member ID", f["member"])],
        [("Referring Provider", f"Dr. {f['doctor_given']} {f['doctor_family']}"), ("NPI", f["npi"])],
        [("Diagnosis", f"{f['icd']} {f['diagnosis']}"), ("Reason for Referral", f["reason"]), ("Notes", f["note"])],
    ]


def letterhead(page, f, title):
    page.center(130, f["practice"], 16)
    page.center(205, f"{f['street']}, {f['town']}", 10, False)
    page.center(250, f"Phone: {f['phone']}     Fax: {f['fax']}", 10, False)
    page.rule(305)
    page.center(335, title, 15)


def colon_form(f):
    """Labels with a colon, one field a line."""
    page = Page()
    letterhead(page, f, "PATIENT REFERRAL FORM")
    y = 450
    for section in lines_of(f):
        for label, value in section:
            page.text(150, y, f"{label}:", bold=True)
            y = page.wrapped(620, y, value) + 16
        y += 26
    page.text(150, y + 60, "Signature:", bold=True)
    page.rule(y + 100, 620, 1300)
    return page


def boxed_form(f):
    """A grid of cells, small labels on top, ticks for priority and sex."""
    page = Page()
    letterhead(page, f, "REFERRAL REQUEST")
    y = 440

    def row(*cells, height=110):
        nonlocal y
        width = (1600 - 130) / len(cells)
        for index, (label, value) in enumerate(cells):
            left = 130 + index * width
            page.box(left, y, left + width, y + height)
            page.text(left + 16, y + 10, label, 9)
            page.wrapped(left + 16, y + 50, value, left + width - 16)
        y += height

    def heading(words):
        nonlocal y
        page.text(130, y + 18, words, 12, True)
        y += 70

    page.text(130, y, "Priority", bold=True)
    x = 420
    for word in ("Routine", "Urgent", "STAT"):
        x = page.tick(x, y + 4, word, word == f["priority"])
    y += 60
    heading("Patient")
    row(("Last Name", f["family"]), ("First Name", f["given"]), ("Date of Birth", f["birth"]))
    row(("Sex", f["sex"]), ("Phone", f["patient_phone"]), ("MRN", f["mrn"]))
    heading("Insurance")
    row(("Insurance Company", f["payer"]), ("Member ID", f["member"]))
    heading("Referring Provider")
    row(("Provider Name", f"{f['doctor_given']} {f['doctor_family']}, MD"), ("NPI", f["npi"]), ("Date", f["date"]))
    heading("Referral")
    row(("Refer To (Specialty)", f["specialty"]), ("Diagnosis (ICD-10)", f"{f['icd']} {f['diagnosis']}"), height=160)
    row(("Reason for Referral", f["reason"]), height=160)
    row(("Notes", f["note"]), height=160)
    return page


def cover_sheet(f, pages):
    page = Page()
    letterhead(page, f, "FAX COVER SHEET")
    y = 480
    for label, value in [
        ("To", f"{f['specialty']} referral desk"),
        ("From", f["practice"]),
        ("Date", f["date"]),
        ("Pages", f"{pages} including this page"),
        ("Re", "Patient referral"),
    ]:
        page.text(150, y, f"{label}:", 13, True)
        page.text(420, y, value, 13)
        y += 80
    page.wrapped(
        150, y + 120,
        "CONFIDENTIAL: this fax contains health information meant only for the recipient named above. If you received it in error, "
        "please call the sender and destroy it.", points=10)
    return page


def faxed(page, resolution, sender, number, pages, random_):
    """The page as it came out at the other end."""
    page.text(130, 30, f"NOV-20-2026 09:{10 + number}   FROM: {sender}   P.{number}/{pages}", 8)
    image = page.image.rotate(random_.uniform(-0.5, 0.5), resample=Image.Resampling.BICUBIC, fillcolor=255)
    image = image.resize((WIDTH, round(HEIGHT * resolution[1] / DPI)), Image.Resampling.BOX)
    image = image.point(lambda level: 255 if level > 150 else 0)
    for _ in range(WIDTH * image.height // 4000):
        image.putpixel((random_.randrange(WIDTH), random_.randrange(image.height)), random_.choice((0, 255)))
    return image.convert("1", dither=Image.Dither.NONE)


def npi(nine):
    """The tenth digit by the Luhn formula over 80840 and the nine. Numbers this low were never given to anybody."""
    digits = [int(symbol) for symbol in "80840" + nine]
    total = sum(sum(divmod(2 * digit, 10)) if index % 2 == 0 else digit for index, digit in enumerate(reversed(digits)))
    return nine + str(-total % 10)


CEDAR = {
    "practice": "Cedar Hollow Family Medicine", "street": "410 Larkspur Lane", "town": "Fairmead, CA 93610",
    "phone": "(415) 555-0110", "fax": "(415) 555-0111", "date": "11/20/2026", "priority": "Urgent", "specialty": "Gastroenterology",
    "family": "Quarterstone", "given": "Ottilie", "birth": "04/09/1961", "sex": "Female", "patient_phone": "(415) 555-0142",
    "mrn": "5510274", "payer": "Harbor Mutual", "member": "HM0042219", "doctor_given": "Rue", "doctor_family": "Abernathy",
    "npi": npi("100000001"), "icd": "D50.9", "diagnosis": "Iron deficiency anemia",
    "reason": "Iron deficiency anemia without obvious source, please evaluate for GI blood loss.",
    "note": "Prefers appointments in the morning.",
}
BRIAR = {
    "practice": "Briar Street Pediatrics", "street": "77 Briar Street", "town": "Millhaven, OR 97042",
    "phone": "(503) 555-0163", "fax": "(503) 555-0164", "date": "11/19/2026", "priority": "Routine", "specialty": "Allergy and Immunology",
    "family": "Penhaligon", "given": "Tobias", "birth": "02/17/2017", "sex": "Male", "patient_phone": "(503) 555-0129",
    "mrn": "884120", "payer": "Cascade Health Plan", "member": "CHP7710346", "doctor_given": "Imogen", "doctor_family": "Vasquez",
    "npi": npi("100000002"), "icd": "J45.40", "diagnosis": "Moderate persistent asthma",
    "reason": "Poorly controlled asthma in spite of inhaled steroid, allergy testing requested.",
    "note": "Mother will bring the inhaler diary.",
}
NORTHGATE = {
    "practice": "Northgate Internal Medicine", "street": "2200 Northgate Way", "town": "Elmford, WA 98133",
    "phone": "(206) 555-0187", "fax": "(206) 555-0188", "date": "11/20/2026", "priority": "Routine", "specialty": "Cardiology",
    "family": "Okonjo", "given": "Delphine", "birth": "08/30/1948", "sex": "Female", "patient_phone": "(206) 555-0115",
    "mrn": "2071965", "payer": "Evergreen Senior Care", "member": "ESC5528013", "doctor_given": "Stellan", "doctor_family": "Marchbanks",
    "npi": npi("100000003"), "icd": "I48.91", "diagnosis": "Unspecified atrial fibrillation",
    "reason": "New irregular pulse, evaluate and advise on anticoagulation.",
    "note": "Walks with a cane, ground floor please.",
}


def make(name, f, drawn, resolution):
    # From the name, so that one sample can be changed without the others.
    random_ = random.Random(name)
    images = [faxed(page, resolution, f["practice"].upper(), number, len(drawn), random_) for number, page in enumerate(drawn, 1)]
    options = {"save_all": True, "append_images": images[1:]}
    if name.endswith(".pdf"):
        images[0].save(HERE / name, dpi=resolution, creationDate=0, modDate=0, **options)
    else:
        images[0].save(HERE / name, dpi=resolution, compression="group4", **options)


make("cedar-form.pdf", CEDAR, [colon_form(CEDAR)], FINE)
make("briar-cover-and-grid.tif", BRIAR, [cover_sheet(BRIAR, 2), boxed_form(BRIAR)], FINE)
make("northgate-standard.pdf", NORTHGATE, [colon_form(NORTHGATE)], STANDARD)
