"""What is printed on a bench fax: one invented referral, from a random generator."""

GIVEN = {
    "F": "Adele Bianca Carmen Daphne Edith Farida Greta Helen Imogen Joyce Katrin Lorna Mabel Nadia Olive Priya Ramona Sylvia Thelma Ursula Vera Wanda Yvonne Zelda Megan Irene Lillian Jill".split(),
    "M": "Albert Boris Conrad Darius Edmund Felipe Gordon Hubert Isaac Jonas Kurt Leopold Marvin Nestor Oscar Philip Quentin Rufus Stefan Tobias Ulrich Victor Walter Xavier Milton Irving William Cyril".split(),
}
FAMILY = ("Abernathy Bellweather Castellan Dunmore Ellsworth Farnsworth Gallowglass Hartigan Illingworth Jessop Kowalski Lindqvist Marchetti "
          "Nakamura Oakenfold Pemberton Quigley Rasmussen Silverstone Thackeray Underhill Villanueva Wetherby Yarborough Zimmerman O'Dowd "
          "Hill Ng Millar Iles Vance Frost Burke Doyle").split()
STREETS = "Alder Birch Clover Dogwood Elder Foxglove Gorse Hazel Ivy Juniper Larch Maple Nettle Poplar Rowan".split()
KINDS = ["St", "Ave", "Rd", "Ln", "Dr"]
PLACES = {
    "US": [("Fernbrook", "OR", "97"), ("Millhaven", "OH", "44"), ("Stonebridge", "TX", "75"), ("Eastwick", "PA", "18"), ("Larkspur", "WA", "98"), ("Port Emery", "FL", "33")],
    "AU": [("Wattle Creek", "NSW", "2"), ("Banksia Bay", "NSW", "2")],
}
PAYERS = ["Aetna", "Cigna", "UnitedHealthcare", "Humana", "Medicare", "Tricare", "Molina Healthcare", "Moda Health", "Highmark", "Tufts Health Plan"]
ORGANIZATIONS = ["{} Family Practice", "{} Primary Care", "{} Medical Group", "{} Internal Medicine", "{} Health Center", "{} Community Clinic"]
# Specialty: diagnoses (all in the fiscal year 2026 list), reasons, procedures.
SPECIALTIES = {
    "Cardiology": ([("I25.10", "Atherosclerotic heart disease of native coronary artery"), ("R06.02", "Shortness of breath"), ("I50.9", "Heart failure, unspecified"), ("I10", "Essential hypertension")],
                   ["Exertional chest tightness for two months with an abnormal resting tracing, please evaluate", "Worsening ankle swelling despite diuretics, please advise on further treatment", "Murmur found at a routine check, echocardiogram requested before surgery"],
                   ["93306", "93015"]),
    "Rheumatology": ([("M06.9", "Rheumatoid arthritis, unspecified"), ("M32.9", "Systemic lupus erythematosus"), ("M10.9", "Gout, unspecified")],
                     ["Symmetric small joint swelling with morning stiffness for ten weeks, please evaluate", "Third attack of gout this year although on allopurinol, please advise"],
                     ["20610", "73130"]),
    "Urology": ([("N40.1", "Benign prostatic hyperplasia with symptoms"), ("R31.0", "Gross hematuria"), ("N20.0", "Calculus of kidney")],
                ["Painless visible blood in the urine on two occasions, please evaluate", "Recurrent kidney stones with flank pain, please advise on prevention"],
                ["52000", "74176"]),
    "Pulmonology": ([("J45.50", "Severe persistent asthma"), ("J44.9", "Chronic obstructive pulmonary disease"), ("R05.3", "Chronic cough")],
                    ["Cough for four months with a normal chest film, please evaluate", "Frequent exacerbations in spite of two inhalers, please review treatment"],
                    ["94010", "94060"]),
    "Nephrology": ([("N18.31", "Chronic kidney disease, stage 3a"), ("R80.9", "Proteinuria, unspecified")],
                   ["Falling filtration rate over one year with protein in the urine, please assess", "Resistant high blood pressure and small kidneys on ultrasound, please advise"],
                   ["76770"]),
    "Ophthalmology": ([("H40.9", "Unspecified glaucoma"), ("H25.13", "Age-related nuclear cataract, bilateral")],
                      ["Raised pressure in both eyes found by the optometrist, please assess", "Gradual loss of vision in the left eye, please consider cataract surgery"],
                      ["92014"]),
    "Hematology": ([("D50.9", "Iron deficiency anemia, unspecified"), ("D69.6", "Thrombocytopenia, unspecified")],
                   ["Low platelets on three counts without an obvious cause, please evaluate", "Iron deficiency that does not respond to tablets, consider infusion"],
                   ["85025"]),
}
PRIORITIES = {"routine": ["Routine", "ROUTINE", "Elective"], "urgent": ["Urgent", "URGENT", "ASAP"], "stat": ["STAT"]}
MEDICATIONS = ["Amlodipine 5 mg daily", "Furosemide 40 mg daily", "Allopurinol 300 mg daily", "Sertraline 50 mg daily", "Apixaban 5 mg twice daily", "Prednisone 10 mg daily", "Losartan 50 mg daily", "Tamsulosin 0.4 mg nightly"]
ALLERGIES = ["No known drug allergies", "Penicillin", "Sulfa drugs", "Latex", "Codeine", "Iodine contrast"]
MONTHS = "January February March April May June July August September October November December".split()


def npi(rng):
    """Ten digits, the last the Luhn check digit over 80840 and the others."""
    body = rng.choice("12") + "".join(rng.choice("0123456789") for _ in range(8))
    total = 24
    for at, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if at % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def phone(rng, country, style):
    """A number as the record keeps it, and as it is printed."""
    if country == "AU":
        rest = f"{rng.randint(0, 9999):04d}"
        return f"+6125550{rest}", [f"(02) 5550 {rest}", f"02 5550 {rest}", f"(02) 5550 {rest}"][style]
    area, exchange, rest = rng.randint(201, 989), rng.randint(211, 989), f"{rng.randint(0, 9999):04d}"
    return f"+1{area}{exchange}{rest}", [f"({area}) {exchange}-{rest}", f"{area}-{exchange}-{rest}", f"{area}.{exchange}.{rest}"][style]


def referral(rng, country="US"):
    """What may be printed (values as printed) and what is true of it (paths of the record)."""
    specialty = rng.choice(list(SPECIALTIES))
    diagnoses, reasons, procedures = SPECIALTIES[specialty]
    sex = rng.choice("FM")
    year, month, day = rng.randint(1931, 2018), rng.randint(1, 12), rng.randint(1, 28)
    style = rng.randrange(3)
    numbers = {name: phone(rng, country, style) for name in ["patient", "referring", "fax", "to_fax", "contact", "other"]}
    town, state, post = rng.choice(PLACES[country])
    post += "".join(rng.choice("0123456789") for _ in range(3))
    street = f"{rng.randint(11, 9899)} {rng.choice(STREETS)} {rng.choice(KINDS)}"
    family, given = rng.choice(FAMILY), rng.choice(GIVEN[sex])
    doctor, doctor_given = rng.choice(FAMILY), rng.choice(GIVEN[rng.choice("FM")])
    other, other_given = rng.choice(FAMILY), rng.choice(GIVEN[rng.choice("FM")])
    contact = rng.choice(GIVEN[rng.choice("FM")])
    codes = rng.sample(diagnoses, k=min(len(diagnoses), rng.choice([1, 1, 2])))
    priority = rng.choice(["routine", "routine", "urgent", "stat"])
    values = dict(
        family=family, given=given, sex="Female" if sex == "F" else "Male", sex_letter=sex,
        born=(year, month, day), dob=f"{month:02d}/{day:02d}/{year}", dob_dash=f"{month}-{day}-{year}", dob_long=f"{MONTHS[month - 1]} {day}, {year}",
        dob_day_first=f"{day:02d}/{month:02d}/{year}", dob_iso=f"{year}-{month:02d}-{day:02d}",
        phone=numbers["patient"][1], office_phone=numbers["referring"][1], office_fax=numbers["fax"][1], to_fax=numbers["to_fax"][1],
        contact_phone=numbers["contact"][1], other_phone=numbers["other"][1],
        street=street, town=town, state=state, post=post, mrn=str(rng.randint(100000, 99999999)),
        payer=rng.choice(PAYERS), member=rng.choice("ABCDEFGHJKLMNPQRTUVWXYZ") + rng.choice("ACDEFHJKLMNPRTUVWXY") + "".join(rng.choice("0123456789") for _ in range(9)),
        group=str(rng.randint(10000, 999999)), authorization=f"A{rng.randint(1000000, 9999999)}",
        doctor=doctor, doctor_given=doctor_given, npi=npi(rng), organization=rng.choice(ORGANIZATIONS).format(rng.choice(PLACES[country])[0]),
        other=other, other_given=other_given, other_npi=npi(rng), contact=contact,
        to_organization=f"{rng.choice(PLACES[country])[0]} {specialty} {rng.choice(['Associates', 'Clinic', 'Partners', 'Center'])}",
        specialty=specialty, priority=priority, priority_word=rng.choice(PRIORITIES[priority]), reason=rng.choice(reasons), codes=codes,
        procedure=rng.choice(procedures), medications=rng.sample(MEDICATIONS, 3), allergies=rng.choice(ALLERGIES),
        written=f"{rng.randint(1, 10):02d}/{rng.randint(1, 28):02d}/2026", visit=f"{rng.randint(1, 9):02d}/{rng.randint(1, 28):02d}/2026",
        specialties=list(SPECIALTIES), pulse=rng.randint(56, 99), pressure=f"{rng.randint(104, 169)}/{rng.randint(60, 95)}", weight=rng.randint(50, 110))
    truth = {
        "patient.name.family": family, "patient.name.given": given, "patient.birth_date": values["dob_iso"], "patient.sex": sex,
        "patient.phone": numbers["patient"][0], "patient.address.line": street, "patient.address.city": town, "patient.address.state": state,
        "patient.address.postal_code": post, "patient.mrn": values["mrn"], "insurance.payer": values["payer"], "insurance.member_id": values["member"],
        "insurance.group": values["group"], "authorization.number": values["authorization"], "referring.name.family": doctor,
        "referring.name.given": doctor_given, "referring.npi": values["npi"], "referring.organization": values["organization"],
        "referring.phone": numbers["referring"][0], "referring.fax": numbers["fax"][0], "referred_to.specialty": specialty,
        "referred_to.organization": values["to_organization"], "priority": priority, "request.reason": values["reason"],
        "request.diagnoses": [code for code, _ in codes], "request.procedures": [values["procedure"]],
        "notes.allergies": values["allergies"], "notes.medications": values["medications"],
    }
    return values, truth
