"""Words that the ERP's data is made of: names, streets, cities, items, reasons; many not ASCII.

Enters: a seeded random. Leaves: texts short enough for their CHAR(n) columns.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

FIRST_NAMES = (
    "Jürgen", "Zoë", "Øystein", "Łucja", "Žofie", "José", "Chloë", "Björk", "Anaïs", "İpek",
    "Dmitrij", "Ευγενία", "Наталья", "さくら", "Maeve", "Anne", "Piet", "Sofía", "Tomáš", "Renée",
)  # fmt: skip
LAST_NAMES = (
    "Müller", "Ærø", "O'Brien", "Nuñez", "Kovačević", "Ångström", "Dvořák", "Şahin", "van der Meer",
    "Papadopoulos", "Иванова", "田中", "Smith", "Garção", "Lefèvre", "Jankowski", "Ó Súilleabháin",
)  # fmt: skip
TRADES = (
    "Söhne GmbH", "& Cie", "Industries Inc.", "Trading AS", "Bröd & Kaffe AB", "S.p.A.", "商事",
    "\\ Partner", "Holdings plc", "Handelsges. mbH", "Kft.", "Sp. z o.o.", "Oy", "100% Organic",
)  # fmt: skip
STREETS = (
    "Bahnhofstraße", "Rue de l'Église", "Karl Johans gate", "Ulica Łąkowa", "Main Street",
    "Calle de la Peña", "Østergade", "Nevský prospekt", "Prinsengracht", "Via dell'Università",
)  # fmt: skip
CITIES = (
    ("Zürich", "CH", "8001"), ("Tromsø", "NO", "9008"), ("Łódź", "PL", "90-001"),
    ("Chicago", "US", "60601"), ("A Coruña", "ES", "15001"), ("Amsterdam", "NL", "1012 AB"),
    ("Köln", "DE", "50667"), ("Besançon", "FR", "25000"), ("Dún Laoghaire", "IE", None),
    ("東京", "JP", "100-0001"), ("Αθήνα", "GR", "105 57"), ("São Paulo", "BR", "01000-000"),
)  # fmt: skip
LANGUAGES = ("de", "en", "fr", "no", "pl", None)
CLERKS = ("mmeier", "jdoe", "åse", "batch", "web", "tørnqvis", "sysadmin")
CARRIERS = ("DHL", "UPS", "POST", "FDX")
GOODS = (
    "Schraube M8, 40 mm", "Câble électrique 3G1,5", "Smørekanne", "Kaffeemühle", "Lötkolben 60 W",
    "Żarówka LED", 'Filter ½"', "Steel pipe ⌀22", "Ключ 17 мм", "緑茶", "Paint, façade white",
    "Gasket set", "Jalapeño, dried", "Büroklammern", "Hydraulic hose", "Pâte à joint",
)  # fmt: skip
UNITS = ("PCE", "KG", "M", "BOX")
CLASSES = ("TOOL", "ELEC", "FOOD", "HW", None)
REMARKS = (
    "Call before delivery", "Lieferung nur vormittags", "Très urgent!", "", "   ",
    "C:\\orders\\old", "two\nlines", "a\ttab", 'said "asap"', "{not json", "délai 3 jours ✓", "\\N",
)  # fmt: skip
PAYMENT_FAILURES = ("NFND", "EXPD", "TMOT", "FRAD")


def happens(random: Random, part: float) -> bool:
    """Draw whether something happens that happens in this part of all cases."""
    return random.random() < part


def person_name(random: Random) -> str:
    """Draw a private person's name, at most 40 characters."""
    return f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"[:40]


def company_name(random: Random) -> str:
    """Draw a company's name, at most 40 characters."""
    return f"{random.choice(LAST_NAMES)} {random.choice(TRADES)}"[:40].rstrip()


def item_description(random: Random) -> str:
    """Draw an item's description, at most 40 characters."""
    return f"{random.choice(GOODS)} #{random.randrange(1000):03d}"[:40]


def street(random: Random) -> str:
    """Draw an address line, at most 60 characters."""
    return f"{random.choice(STREETS)} {random.randrange(1, 240)}"


def large_text(random: Random, characters: int) -> str:
    """Draw a text that does not compress, so that PostgreSQL stores it out of line."""
    return ("Prüfprotokoll: " + b64encode(random.randbytes(characters)).decode())[:characters]
