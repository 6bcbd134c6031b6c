"""Form families that the extraction may be tuned on. Each draws one referral and names what it printed."""
from paper import Page

PATIENT = ["patient.name", "patient.birth_date"]
HOME = ["patient.address.line", "patient.address.city", "patient.address.state", "patient.address.postal_code"]


def ledger(rng, v):
    """A colon form, its labels set flush right against the values."""
    p = Page(rng, "serif", 11)
    p.text(306, 60, v["organization"], "center", size=16, bold=True)
    p.text(306, 78, f"Ph {v['office_phone']}   Fx {v['office_fax']}", "center", size=10)
    p.text(306, 106, "REFERRAL ORDER", "center", size=13, bold=True)
    rows = [("Client name", f"{v['given']} {v['family']}"), ("Born", v["dob_long"]), ("Gender", v["sex"]), ("Chart #", v["mrn"]),
            ("Home address", f"{v['street']}, {v['town']}, {v['state']} {v['post']}"), ("Cell", v["phone"]), None,
            ("Carrier", v["payer"]), ("Policy #", v["member"]), ("Group", v["group"]), ("Prior auth #", v["authorization"]), None,
            ("Requesting clinician", f"{v['doctor_given']} {v['doctor']}, NP"), ("Individual NPI", v["npi"]), None,
            ("Please schedule with", v["to_organization"]), ("Service requested", v["specialty"]), ("Timeframe", v["priority_word"]),
            ("Dx", "; ".join(f"{code} {text}" for code, text in v["codes"])), ("CPT", v["procedure"]), ("Why referred", v["reason"]),
            ("Drug allergies", v["allergies"]), ("Current meds", ", ".join(v["medications"])), None,
            ("Emergency contact", f"{v['contact']} {v['family']} {v['contact_phone']}"), ("Last seen", v["visit"]), ("Date of referral", v["written"])]
    y = 140
    for row in rows:
        if row is None:
            y += 10
            continue
        p.text(200, y, row[0] + ":", "right", bold=True)
        y = p.paragraph(210, y, row[1], 350) + 4
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.mrn", "patient.phone", "insurance", "authorization", "referring", "referred_to", "priority", "request", "notes"]


def cells(rng, v):
    """A grid of boxes, the label small in a corner of each."""
    v["codes"] = v["codes"][:1]
    p = Page(rng, "narrow", 11)
    p.text(40, 54, "OUTPATIENT REFERRAL", size=17, bold=True)
    p.text(572, 54, f"Date written {v['written']}", "right", size=9)
    y = 70

    def row(columns, tall=34, lines=1):
        nonlocal y
        x = 40
        for share, label, value in columns:
            wide = 532 * share
            p.box(x, y, x + wide, y + tall, 0.9)
            p.text(x + 4, y + 10, label, size=7.5)
            if value:
                p.paragraph(x + 6, y + 26, value, wide - 12)
            x += wide
        y += tall

    def bar(title):
        nonlocal y
        p.box(40, y, 572, y + 16, 0.9)
        p.text(46, y + 12, title, size=9.5, bold=True)
        y += 16

    bar("PATIENT")
    row([(0.3, "Surname", v["family"].upper()), (0.3, "Given name", v["given"].upper()), (0.24, "Date of birth (mm/dd/yyyy)", v["dob"]), (0.16, "Sex (M/F)", v["sex_letter"])])
    row([(0.5, "Street address", v["street"]), (0.25, "City", v["town"]), (0.1, "State", v["state"]), (0.15, "ZIP", v["post"])])
    row([(0.34, "Daytime phone", v["phone"]), (0.33, "Medical record no.", v["mrn"]), (0.33, "Next of kin phone", v["contact_phone"])])
    bar("COVERAGE")
    row([(0.4, "Health plan", v["payer"]), (0.35, "Identification no.", v["member"]), (0.25, "Group no.", v["group"])])
    row([(0.4, "Pre-authorization number", v["authorization"]), (0.6, "Subscriber name (if not patient)", "")])
    bar("REFERRING PRACTICE")
    row([(0.4, "Provider name", f"{v['doctor']}, {v['doctor_given']} DO"), (0.25, "NPI", v["npi"]), (0.35, "Practice", v["organization"])])
    row([(0.5, "Office telephone", v["office_phone"]), (0.5, "Office fax", v["office_fax"])])
    bar("REQUEST")
    row([(0.45, "Type of specialist", v["specialty"]), (0.3, "Level of urgency", v["priority_word"]), (0.25, "CPT code(s)", v["procedure"])])
    row([(1, "ICD-10 code(s) and description", "   ".join(f"{code} {text}" for code, text in v["codes"]))])
    row([(1, "Reason for consultation", v["reason"])], 62)
    row([(0.4, "Allergies", v["allergies"]), (0.6, "Medications", ", ".join(v["medications"]))], 48)
    bar("FOR OFFICE USE ONLY")
    row([(0.5, "Received by", f"{v['other_given']} {v['other']}"), (0.5, "Appointment date", v["visit"])])
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.mrn", "patient.phone", "insurance", "authorization", "referring", "referred_to.specialty", "priority", "request", "notes"]


def halves(rng, v):
    """Two columns under headings, each value on an underlined blank."""
    p = Page(rng, "sans", 10)
    p.text(40, 56, v["organization"], size=14, bold=True)
    p.text(40, 72, "Consultation request", size=12)
    p.line(40, 80, 572, 80, 1.5)

    def column(x, y, title, rows):
        p.text(x, y, title, size=11, bold=True)
        y += 22
        for label, value in rows:
            start = p.text(x, y, label, size=9) + 4
            p.line(start, y + 3, x + 250, y + 3, 0.7)
            p.text(start + 3, y, value)
            y += 21
        return y

    column(40, 104, "About the patient", [("Last name", v["family"]), ("First name", v["given"]), ("DOB", v["dob"]), ("Sex", v["sex"]), ("Mobile", v["phone"]),
                                           ("Address", v["street"]), ("City/State/Zip", f"{v['town']}, {v['state']} {v['post']}")])
    y = column(320, 104, "Insurance information", [("Company", v["payer"]), ("Subscriber ID", v["member"]), ("Group #", v["group"]), ("Auth #", v["authorization"]),
                                                   ("Policy holder", f"{v['contact']} {v['family']}"), ("Ins. phone", v["other_phone"])])
    y = 290
    column(40, y, "Referring provider", [("Name", f"{v['doctor_given']} {v['doctor']}, MD"), ("NPI", v["npi"]), ("Phone", v["office_phone"]), ("Fax", v["office_fax"])])
    column(320, y, "Primary care provider", [("Name", f"{v['other_given']} {v['other']}, MD"), ("NPI", v["other_npi"]), ("Phone", v["other_phone"])])
    y = 420
    for label, value in [("Specialty requested:", v["specialty"]), ("Urgency:", v["priority_word"]), ("Diagnosis codes:", ", ".join(code for code, _ in v["codes"]))]:
        start = p.text(40, y, label, size=10, bold=True) + 6
        p.line(start, y + 3, 570, y + 3, 0.7)
        p.text(start + 3, y, value, size=11)
        y += 24
    p.text(40, y, "Clinical question:", size=10, bold=True)
    y = p.paragraph(40, y + 18, v["reason"], 520, size=11) + 8
    p.text(40, y, "Known allergies:", bold=True)
    p.text(140, y, v["allergies"])
    y += 22
    p.text(40, y, "Medication list:", bold=True)
    for medication in v["medications"]:
        p.text(140, y, medication)
        y += 15
    p.text(40, 740, f"Signature ____________________    Date {v['written']}", size=10)
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.phone", "insurance", "authorization", "referring", "referred_to.specialty", "priority", "request.reason", "request.diagnoses", "notes"]


def ticks(rng, v):
    """Drawn boxes ticked by pen for sex, priority and specialty."""
    p = Page(rng, "sans", 10.5)
    p.text(306, 56, "SPECIALTY REFERRAL", "center", size=16, bold=True)
    p.text(306, 74, f"Fax completed form to {v['to_fax']}", "center", size=10)
    y = 104

    def boxes(label, options, chosen, wrap=4, step=104):
        nonlocal y
        p.text(40, y, label, bold=True)
        for at, option in enumerate(options):
            if at and at % wrap == 0:
                y += 20
            x = 165 + step * (at % wrap)
            p.text(p.tick(x, y, option == chosen), y, option)
        y += 26

    boxes("Priority:", ["Routine", "Urgent", "STAT"], {"routine": "Routine", "urgent": "Urgent", "stat": "STAT"}[v["priority"]])
    p.line(40, y - 14, 572, y - 14)
    p.text(40, y, "Patient name:", bold=True)
    p.text(150, y, f"{v['family']}, {v['given']}")
    p.text(380, y, "DOB:", bold=True)
    p.text(420, y, v["dob"])
    y += 24
    boxes("Sex:", ["Male", "Female", "Other"], v["sex"])
    for label, value in [("Home phone:", v["phone"]), ("Address:", f"{v['street']}, {v['town']}, {v['state']} {v['post']}"), ("Insurance:", v["payer"]), ("Member ID:", v["member"])]:
        p.text(40, y, label, bold=True)
        p.text(150, y, value)
        y += 22
    p.line(40, y - 10, 572, y - 10)
    y += 8
    boxes("Specialty:", v["specialties"], v["specialty"])
    p.text(40, y, "Reason for referral:", bold=True)
    y = p.paragraph(160, y, v["reason"], 400) + 6
    p.text(40, y, "ICD-10:", bold=True)
    p.text(160, y, ", ".join(code for code, _ in v["codes"]))
    y += 24
    boxes("Interpreter needed:", ["Yes", "No"], "No")
    p.line(40, y - 10, 572, y - 10)
    y += 8
    for left, right in [(("Referring provider:", f"{v['doctor_given']} {v['doctor']}, MD"), ("NPI:", v["npi"])), (("Practice:", v["organization"]), None),
                        (("Office phone:", v["office_phone"]), ("Office fax:", v["office_fax"]))]:
        p.text(40, y, left[0], bold=True)
        p.text(160, y, left[1])
        if right:
            p.text(370, y, right[0], bold=True)
            p.text(440, y, right[1])
        y += 22
    boxes("Records attached:", ["Labs", "Imaging", "Notes"], rng.choice(["Labs", "Imaging", "Notes"]))
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.phone", "insurance.payer", "insurance.member_id", "referring", "referred_to.specialty", "priority", "request.reason", "request.diagnoses"]


def note(rng, v):
    """A letter with the patient in its RE: lines."""
    p = Page(rng, "slim", 11.5)
    p.text(72, 64, v["organization"], size=15, bold=True)
    p.text(72, 82, f"Tel. {v['office_phone']}  |  Fax {v['office_fax']}", size=10)
    p.text(72, 118, f"{v['written']}")
    y = 150
    for line in [v["to_organization"], f"Attention: {v['specialty']} intake"]:
        p.text(72, y, line)
        y += 17
    y += 14
    for label, value in [("RE:", f"{v['given']} {v['family']}"), ("DOB:", v["dob_long"]), ("Phone:", v["phone"]), ("MRN:", v["mrn"])]:
        p.text(72, y, label, bold=True)
        p.text(130, y, value, bold=True)
        y += 17
    y += 14
    p.text(72, y, "Dear colleague,")
    y = p.paragraph(72, y + 26, f"{v['reason']}.", 460) + 8
    y = p.paragraph(72, y, f"I last saw this patient on {v['visit']}, when the blood pressure was {v['pressure']} and the pulse {v['pulse']}.", 460) + 8
    p.text(72, y, "Diagnoses:", bold=True)
    y += 18
    for code, text in v["codes"]:
        p.text(90, y, f"{code}  {text}")
        y += 17
    y += 6
    p.text(72, y, "Medications:", bold=True)
    p.paragraph(155, y, ", ".join(v["medications"]), 380)
    y += 34
    p.text(72, y, "Allergies:", bold=True)
    p.text(155, y, v["allergies"])
    y += 24
    p.text(72, y, "Urgency:", bold=True)
    p.text(155, y, v["priority_word"])
    y += 30
    y = p.paragraph(72, y, f"The family doctor, Dr. {v['other_given']} {v['other']} ({v['other_phone']}), receives a copy.", 460) + 10
    p.text(72, y, "With kind regards,")
    p.text(72, y + 50, f"{v['doctor_given']} {v['doctor']}, MD")
    p.text(72, y + 66, f"NPI {v['npi']}")
    return [p.image], PATIENT + ["patient.phone", "patient.mrn", "referring", "referred_to.specialty", "priority", "request.reason", "request.diagnoses", "notes"]


def orders(rng, v):
    """A print-out of a health record system: a banner, facts in pairs, tables."""
    p = Page(rng, "sans", 9.5)
    p.text(40, 50, f"{v['family'].upper()}, {v['given']}", size=13, bold=True)
    p.text(572, 50, f"MRN: {v['mrn']}", "right", size=10)
    p.text(40, 66, f"DOB: {v['dob']}    Legal sex: {v['sex']}    Mobile: {v['phone']}")
    p.line(40, 74, 572, 74, 1.2)
    p.text(40, 96, f"Ambulatory referral to {v['specialty']}", size=13, bold=True)
    y = 120
    for left, right in [(("Order date", v["written"]), ("Priority", v["priority_word"])), (("Ordering provider", f"{v['doctor']}, {v['doctor_given']}, MD"), ("NPI", v["npi"])),
                        (("Ordering department", v["organization"]), ("Department fax", v["office_fax"])), (("Attending", f"{v['other']}, {v['other_given']}, MD"), ("Department phone", v["office_phone"]))]:
        p.text(40, y, left[0] + ":", size=9)
        p.text(150, y, left[1])
        p.text(350, y, right[0] + ":", size=9)
        p.text(440, y, right[1])
        y += 17
    y += 10

    def table(title, heads, rows, widths):
        nonlocal y
        p.text(40, y, title, size=11, bold=True)
        y += 16
        for cells, bold in [(heads, True)] + [(cells, False) for cells in rows]:
            x = 44
            for cell, wide in zip(cells, widths):
                p.text(x, y, cell, size=9, bold=bold)
                x += wide
            if bold:
                p.line(40, y + 4, 572, y + 4, 0.6)
            y += 15
        y += 10

    p.text(40, y, "Reason for referral:", size=9)
    y = p.paragraph(150, y, v["reason"], 410) + 8
    table("Associated diagnoses", ["ICD-10-CM", "Description"], v["codes"], [100, 400])
    table("Coverage", ["Payer", "Member ID", "Group", "Subscriber"], [[v["payer"], v["member"], v["group"], f"{v['contact']} {v['family']}"]], [150, 130, 100, 140])
    table("Procedures", ["CPT", "Quantity"], [[v["procedure"], "1"]], [100, 100])
    table("Allergies", ["Allergen", "Noted"], [[v["allergies"], v["visit"]]], [250, 100])
    table("Current medications", ["Medication", "Start date"], [[name, v["visit"]] for name in v["medications"]], [250, 100])
    table("Recent encounters", ["Date", "Provider", "Department"], [[v["visit"], f"{v['other']}, {v['other_given']}", "Family Medicine"]], [100, 180, 200])
    p.text(40, 760, f"Printed {v['written']} by {v['other_given']} {v['other']}    Page 1 of 1", size=8)
    return [p.image], PATIENT + ["patient.sex", "patient.mrn", "patient.phone", "insurance", "referring", "referred_to.specialty", "priority", "request", "notes"]


def numbered(rng, v):
    """A typed form in numbered sections: printed brackets for what is chosen, labels that only their section explains."""
    p = Page(rng, rng.choice(["mono", "sans", "serif"]), 10)
    p.text(306, 58, "Patient Referral", "center", size=15, bold=True)
    mark = rng.choice(["[X]", "[x]", "(X)", "[ X ]"])
    empty = "(  )" if mark == "(X)" else "[   ]" if mark == "[ X ]" else "[ ]"
    chosen = lambda options, option: "    ".join(f"{mark if one == option else empty} {one}" for one in options)
    title = rng.choice([lambda at, text: f"{at}. {text}", lambda at, text: f"Section {at}: {text}", lambda at, text: f"{'ABCDE'[at - 1]}) {text}", lambda at, text: f"PART {at} - {text.upper()}"])
    maker = rng.choice(["Provider", "Clinician", "Physician", "Practitioner"])
    y = 92
    for row in [title(1, "Patient"), f"Name: {v['given']} {v['family']}", f"Birth date: {v['dob']}", f"Gender: {chosen(['Female', 'Male', 'Other'], v['sex'])}", f"Tel: {v['phone']}   MRN: {v['mrn']}",
                f"Address: {v['street']}, {v['town']}, {v['state']} {v['post']}", "",
                title(2, "Insurance"), f"Plan name: {v['payer']}", f"Member no.: {v['member']}   Group no.: {v['group']}", "",
                title(3, "Requesting provider"), f"{maker}: {v['doctor_given']} {v['doctor']}, {rng.choice(['NP', 'PA-C', 'DO', 'FNP-BC', 'APRN', 'MD'])}", f"NPI: {v['npi']}", f"Clinic: {v['organization']}",
                f"Tel: {v['office_phone']}   Fax: {v['office_fax']}", "",
                title(4, "Services requested"), f"How soon: {chosen(['Routine', 'Urgent', 'STAT'], {'routine': 'Routine', 'urgent': 'Urgent', 'stat': 'STAT'}[v['priority']])}", f"Specialty: {v['specialty']}",
                f"ICD-10 codes: {', '.join(code for code, _ in v['codes'])}", f"CPT: {v['procedure']}"]:
        p.text(56, y, row, bold=row[:1].isdigit() or row.startswith(("Section", "PART")) or row[1:2] == ")")
        y += 20
    p.text(56, y, "Reason for consultation:")
    y = p.paragraph(70, y + 18, v["reason"], 480) + 10
    p.text(56, y, f"Primary care provider: {v['other_given']} {v['other']}, MD, {v['other_phone']}")
    return [p.image], PATIENT + HOME + ["patient.sex", "patient.mrn", "patient.phone", "insurance", "referring", "referred_to.specialty", "priority", "request"]


def booking(rng, v):
    """The form a specialist hands out: its own name and fax on top, boxes to tick without a label, facts in columns under headings."""
    p = Page(rng, "sans", 10)
    p.text(306, 50, v["to_organization"].upper() if rng.random() < 0.4 else v["to_organization"], "center", size=16, bold=True)
    p.text(306, 66, rng.choice(["Return this page by fax: {}", "Send referrals to fax {}", "Please fax to {}", "Fax completed form to {}"]).format(v["to_fax"]), "center", size=9.5)
    p.line(40, 76, 572, 76, 1.2)
    y = 98
    x = p.text(40, y, rng.choice(["When should we see the patient?", "This request is", "Please see:", "Visit type"]), bold=True) + 18
    for option, priority in rng.choice([[("Routine", "routine"), ("Urgent", "urgent"), ("STAT", "stat")], [("STAT", "stat"), ("ASAP", "urgent"), ("Elective", "routine")]]):
        x = p.text(p.tick(x, y, priority == v["priority"], side=rng.choice([8, 9, 10])), y, option) + 26
    y += 26

    def facts(title, pairs):
        nonlocal y
        p.text(40, y, title, size=11, bold=True)
        y += 17
        for at in range(0, len(pairs), 2):
            for column, (label, value) in enumerate(pairs[at:at + 2]):
                p.text(44 + 270 * column, y, label, size=8)
                p.text(44 + 270 * column, y + 14, value)
            y += 33
        y += 6

    facts("Patient", [("Name", f"{v['family']}, {v['given']}"), ("Birth date", v["dob"]), ("Phone", v["phone"]), ("Sex", v["sex"])])
    facts("Insurance", [("Payer", v["payer"]), ("Subscriber ID", v["member"])])
    facts("Referring office", [(rng.choice(["Provider", "Clinician", "Doctor", "Physician"]), f"{v['doctor_given']} {v['doctor']}, MD"), ("NPI", v["npi"]), ("Practice", v["organization"]), ("Fax", v["office_fax"])])
    p.text(40, y, "Reason for referral", size=11, bold=True)
    y = p.paragraph(44, y + 17, v["reason"], 510) + 8
    p.text(40, y, "Diagnosis codes", size=11, bold=True)
    p.text(44, y + 17, ", ".join(code for code, _ in v["codes"]))
    y += 46
    facts("Other providers", [("Provider", f"{v['other_given']} {v['other']}, MD"), ("Phone", v["other_phone"])])
    return [p.image], PATIENT + ["patient.sex", "patient.phone", "insurance.payer", "insurance.member_id", "referring.name", "referring.npi", "referring.organization", "referring.fax", "referred_to", "priority", "request.reason", "request.diagnoses"]


FAMILIES = [ledger, cells, halves, ticks, note, orders, numbered, booking]
