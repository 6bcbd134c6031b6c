"""Form families held back: written before any tuning, scored at the end, never looked at while the extraction is changed.

Who finds a mistake of the extraction here adds a family to families_tune.py that shows it, and leaves these alone."""
from paper import Page

PATIENT = ["patient.name", "patient.birth_date"]
HOME = ["patient.address.line", "patient.address.city", "patient.address.state", "patient.address.postal_code"]


def chart(rng, v):
    """Another health record system: facts in three columns, label above value, then lists."""
    p = Page(rng, "narrow", 10.5)
    p.text(40, 52, v["organization"], size=13, bold=True)
    p.text(572, 52, f"Telephone {v['office_phone']}", "right", size=9.5)
    p.text(572, 66, f"Fax {v['office_fax']}", "right", size=9.5)
    p.text(40, 92, "Outgoing Referral Summary", size=14, bold=True)
    p.line(40, 98, 572, 98, 1)
    y = 116

    def facts(title, pairs):
        nonlocal y
        p.text(40, y, title, size=11, bold=True)
        y += 16
        for at in range(0, len(pairs), 3):
            for column, (label, value) in enumerate(pairs[at:at + 3]):
                p.text(44 + 180 * column, y, label, size=8)
                p.text(44 + 180 * column, y + 14, value)
            y += 34
        y += 6

    facts("Patient", [("Patient name", f"{v['family']}, {v['given']}"), ("Date of birth", v["dob"]), ("Sex", v["sex"]),
                      ("MRN", v["mrn"]), ("Home phone", v["phone"]), ("Preferred language", "English")])
    facts("Insurance", [("Primary insurance", v["payer"]), ("Member number", v["member"]), ("Group number", v["group"])])
    facts("Referring provider", [("Provider", f"{v['doctor_given']} {v['doctor']}, MD"), ("NPI", v["npi"]), ("Referral date", v["written"])])
    facts("Referral", [("Specialty", v["specialty"]), ("Priority", v["priority_word"]), ("Authorization number", v["authorization"])])
    p.text(40, y, "Reason for referral", size=11, bold=True)
    y = p.paragraph(44, y + 17, v["reason"], 510) + 8
    p.text(40, y, "Diagnoses", size=11, bold=True)
    y += 17
    for code, text in v["codes"]:
        p.text(44, y, f"{text} ({code})")
        y += 15
    y += 8
    p.text(40, y, "Allergies", size=11, bold=True)
    p.text(44, y + 17, v["allergies"])
    y += 42
    p.text(40, y, "Medications", size=11, bold=True)
    y += 17
    for medication in v["medications"]:
        p.text(44, y, medication)
        y += 15
    y += 12
    p.text(40, y, "Care team", size=11, bold=True)
    p.text(44, y + 17, f"{v['other_given']} {v['other']}, MD   Primary care   {v['other_phone']}   last visit {v['visit']}")
    return [p.image], PATIENT + ["patient.sex", "patient.mrn", "patient.phone", "insurance", "authorization", "referring", "referred_to.specialty", "priority", "request.reason", "request.diagnoses", "notes"]


def sheet(rng, v):
    """A cover sheet, and a form with printed [X]."""
    c = Page(rng, "serif", 12)
    c.text(72, 110, "Facsimile", size=34, bold=True)
    c.line(72, 122, 540, 122, 2)
    y = 160
    for label, value in [("To:", v["to_organization"]), ("Fax number:", v["to_fax"]), ("From:", v["organization"]), ("Phone:", v["office_phone"]), ("Fax:", v["office_fax"]),
                         ("Date:", v["written"]), ("Pages:", "2")]:
        c.text(72, y, label, bold=True)
        c.text(170, y, value)
        y += 24
    c.paragraph(72, y + 30, "This message may hold protected health information. If it reached you by mistake, call the sender and destroy it.", 460, size=9)
    p = Page(rng, "mono", 9.5)
    p.text(306, 60, "REFERRAL REQUEST FORM", "center", size=14, bold=True)
    mark = lambda options, chosen: "   ".join(f"[{'X' if option == chosen else ' '}] {option}" for option in options)
    y = 100
    for row in ["1. PATIENT INFORMATION", f"Name: {v['family']}, {v['given']}", f"Date of Birth: {v['dob']}    Phone: {v['phone']}", f"Sex: {mark(['Male', 'Female'], v['sex'])}",
                f"Address: {v['street']}, {v['town']}, {v['state']} {v['post']}", "", "2. INSURANCE", f"Insurance Company: {v['payer']}", f"Policy Number: {v['member']}   Group: {v['group']}", "",
                "3. REFERRING PROVIDER", f"Provider: {v['doctor_given']} {v['doctor']}, PA-C", f"NPI: {v['npi']}", f"Practice: {v['organization']}", f"Phone: {v['office_phone']}   Fax: {v['office_fax']}", "",
                "4. REFERRAL", f"Priority: {mark(['Routine', 'Urgent', 'STAT'], {'routine': 'Routine', 'urgent': 'Urgent', 'stat': 'STAT'}[v['priority']])}", f"Specialty: {v['specialty']}",
                f"Diagnosis (ICD-10): {', '.join(code for code, _ in v['codes'])}"]:
        p.text(60, y, row, bold=row[:1].isdigit())
        y += 20
    p.text(60, y, "Reason for Referral:")
    y = p.paragraph(76, y + 18, v["reason"], 480) + 6
    p.text(60, y, f"CPT: {v['procedure']}   Allergies: {v['allergies']}")
    y += 30
    p.text(60, y, f"Emergency contact: {v['contact']} {v['family']}  Phone: {v['contact_phone']}")
    return [c.image, p.image], PATIENT + HOME + ["patient.sex", "patient.phone", "insurance", "referring", "referred_to.specialty", "priority", "request", "notes.allergies"]


def practice(rng, v):
    """An Australian general practitioner's letter: day first, other phones, a post code of four digits."""
    p = Page(rng, "sans", 10.5)
    p.text(540, 60, v["organization"], "right", size=14, bold=True)
    p.text(540, 76, f"Phone: {v['office_phone']}  Fax: {v['office_fax']}", "right", size=9.5)
    day, month, year = v["written"][3:5], v["written"][:2], v["written"][6:]
    p.text(72, 116, f"{day}/{month}/{year}")
    p.text(72, 146, f"Department of {v['specialty']}")
    p.text(72, 162, v["to_organization"])
    y = 196
    for row in [f"RE: {v['given']} {v['family']}", f"Date of Birth: {v['dob_day_first']}    Sex: {v['sex']}", f"Address: {v['street']}, {v['town']} {v['state']} {v['post']}", f"Phone: {v['phone']}"]:
        p.text(72, y, row, bold=row.startswith("RE"))
        y += 17
    y += 16
    p.text(72, y, "Dear Doctor,")
    y = p.paragraph(72, y + 24, f"Thank you for seeing this patient. {v['reason']}.", 460) + 8
    p.text(72, y, f"Urgency: {v['priority_word']}")
    y += 22
    p.text(72, y, f"Allergies: {v['allergies']}")
    y = p.paragraph(72, y + 20, f"Current medications: {', '.join(v['medications'])}", 460) + 8
    y = p.paragraph(72, y, f"Next of kin: {v['contact']} {v['family']}, {v['contact_phone']}", 460) + 14
    p.text(72, y, "Yours sincerely,")
    p.text(72, y + 46, f"Dr {v['doctor_given']} {v['doctor']}")
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.phone", "referring.name", "referring.organization", "referring.phone", "referring.fax", "referred_to.specialty", "priority", "request.reason", "notes"]


def intake(rng, v):
    """A specialist's own intake form: underlined blanks, drawn boxes ticked by pen, where to send it on top."""
    p = Page(rng, "slim", 10.5)
    p.text(306, 52, v["to_organization"], "center", size=15, bold=True)
    p.text(306, 68, f"Fax this form to {v['to_fax']}", "center", size=10)
    p.text(306, 90, "NEW PATIENT REFERRAL", "center", size=12, bold=True)

    def blank(x, y, wide, label, value):
        start = p.text(x, y, label) + 4
        p.line(start, y + 3, x + wide, y + 3, 0.7)
        p.text(start + 4, y, value, face="sans")

    y = 122
    p.text(40, y, "Appointment needed:", bold=True)
    x = 170
    for option in ["Routine", "Urgent", "STAT"]:
        x = p.text(p.tick(x, y, option.lower() == v["priority"]), y, option) + 30
    y += 28
    blank(40, y, 330, "Patient name:", f"{v['given']} {v['family']}")
    blank(390, y, 180, "DOB:", v["dob"])
    y += 24
    p.text(40, y, "Gender:")
    x = 100
    for option in ["Female", "Male"]:
        x = p.text(p.tick(x, y, option == v["sex"]), y, option) + 30
    blank(300, y, 270, "Patient phone:", v["phone"])
    y += 24
    blank(40, y, 270, "Primary insurance:", v["payer"])
    blank(330, y, 240, "ID number:", v["member"])
    y += 24
    blank(40, y, 320, "Referring physician:", f"{v['doctor_given']} {v['doctor']}, MD")
    blank(380, y, 190, "NPI:", v["npi"])
    y += 24
    blank(40, y, 300, "Referring practice:", v["organization"])
    y += 24
    blank(40, y, 260, "Office phone:", v["office_phone"])
    blank(320, y, 250, "Office fax:", v["office_fax"])
    y += 24
    blank(40, y, 530, "Primary care provider:", f"{v['other_given']} {v['other']}, MD   {v['other_phone']}")
    y += 24
    blank(40, y, 530, "Diagnosis / ICD-10:", ", ".join(code for code, _ in v["codes"]))
    y += 24
    p.text(40, y, "Reason for referral:")
    y = p.paragraph(60, y + 18, v["reason"], 500, face="sans") + 10
    blank(40, y, 530, "Medications:", v["medications"][0])
    y += 24
    blank(40, y, 530, "Allergies:", v["allergies"])
    v["medications"] = v["medications"][:1]
    return [p.image], PATIENT + ["patient.sex", "patient.phone", "insurance.payer", "insurance.member_id", "referring", "referred_to.specialty", "priority", "request.reason", "request.diagnoses", "notes"]


FAMILIES = [chart, sheet, practice, intake]
COUNTRIES = {"practice": "AU"}
