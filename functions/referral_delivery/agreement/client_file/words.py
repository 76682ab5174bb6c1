"""The words for each field of a client file: what it expects, a line that would be right, and what people call it."""

from collections.abc import Iterable
from typing import NamedTuple

from referral_delivery.agreement.attributes import CampaignType
from referral_delivery.agreement.client import MAX_KEYS_PER_USER
from referral_delivery.agreement.column import Transform
from referral_delivery.agreement.file_format import Compression, Format, LineEnding, Quote, WhenEmpty
from referral_delivery.agreement.notices import MAX_ADDRESSES, MailRhythm, Occurrence
from referral_delivery.agreement.recipient import MAX_RECIPIENTS


class Words(NamedTuple):
    """What a field expects, and a line that would be right."""

    expected: str
    example: str
    choices: tuple[str, ...] = ()
    do: str = ""


def _choice(choices: Iterable[str], example: str) -> Words:
    names = tuple(str(choice) for choice in choices)
    return Words(f"one of {', '.join(names)}", example, names)


_DAY = "a day that exists, as year-month-day"
_INDENT = "write its fields below it, each indented by two blanks"
_ENTRY = "write `- label: …` and below it, indented by two blanks more, `public_key: …`"
_COLUMN = "an attribute's name, or fields such as name, from, transform"
YES_OR_NO = ("true", "false")
_OUTPUT = "a text of at most 1,000 characters, or true or false"
_RECIPIENTS = "put the client's public key into the folder keys, and name it like `recipients: [keys/acme.asc]`"
_NO_HYPHENS = f"{_INDENT}, without hyphens"
_DURATION = "a number of minutes, hours or days, such as 90m, 36h or 2d"
_OCCURRENCES = f"one or more of {', '.join(Occurrence)}"
FIELDS: dict[str, Words] = {
    "client": Words("3 to 32 small letters, digits and hyphens, a letter first", "client: acme"),
    "contact": Words("one email address", "contact: crm@acme.example"),
    "campaign_type": _choice(CampaignType, "campaign_type: email_subscription"),
    "deliver_from": Words(_DAY, "deliver_from: 2026-11-01"),
    "keys": Words(f"a list of at most {MAX_KEYS_PER_USER} keys, each with a hyphen before it", "keys:", do=_ENTRY),
    "keys.*": Words("a label and a public key", "- label: crm-2026", do=_ENTRY),
    "keys.*.label": Words("1 to 64 characters that say whose key this is", "label: crm-2026"),
    "keys.*.public_key": Words("the one line of the client's .pub file", "public_key: ssh-ed25519 AAAA… crm@acme"),
    "keys.*.expires": Words(_DAY, "expires: 2027-11-01"),
    "schedule": Words("fields of its own: timezone, at or every, days or days_of_month", "schedule:", do=_INDENT),
    "schedule.timezone": Words("a timezone by the name of a place", "timezone: Australia/Sydney"),
    "schedule.at": Words("one or more times of day", 'at: ["06:00", "18:30"]'),
    "schedule.at.*": Words("a time of day, 00:00 to 23:59", '"06:00"'),
    "schedule.every": Words("minutes or hours", "every: 15m"),
    "schedule.days": Words("one or more days of the week", "days: mon-fri"),
    "schedule.days.*": Words("a day of the week: mon, tue, wed, thu, fri, sat or sun", "days: mon-fri"),
    "schedule.days_of_month": Words("one or more days of the month", "days_of_month: [1, 15, last]"),
    "attributes": Words("at least one attribute, each with a hyphen before it", "- email"),
    "attributes.*": Words(_COLUMN, "- email"),
    "attributes.*.name": Words("the column's header", "name: email_sha256"),
    "attributes.*.from": Words("an attribute's name", "from: email"),
    "attributes.*.value": Words(_OUTPUT, "value: partner-7"),
    "attributes.*.format": Words("how a date or timestamp is written", 'format: "%d/%m/%Y"'),
    "attributes.*.timezone": Words("a timezone by the name of a place", "timezone: Australia/Sydney"),
    "attributes.*.places": Words("a number of digits behind the point, 0 to 9", "places: 2"),
    "attributes.*.map": Words("fields of its own: equals, contains, ignore_case", "map:", do=_NO_HYPHENS),
    "attributes.*.map.equals": Words("values, and what is written for them", "equals: {gold: Premium}"),
    "attributes.*.map.equals.*": Words(_OUTPUT, "gold: Premium"),
    "attributes.*.map.contains": Words("parts of values, and what is written for them", "contains: {gold: Premium}"),
    "attributes.*.map.contains.*": Words(_OUTPUT, "gold: Premium"),
    "attributes.*.map.ignore_case": Words("true or false", "ignore_case: true", YES_OR_NO),
    "attributes.*.if_empty": Words(_OUTPUT, "if_empty: unknown"),
    "attributes.*.if_no_match": Words(_OUTPUT, "if_no_match: other"),
    "attributes.*.transform": _choice(Transform, "transform: sha256"),
    "file": Words("fields of its own, such as compression", "file:", do=f"{_INDENT}, or remove it"),
    "file.format": _choice(Format, "format: csv"),
    "file.delimiter": Words(
        "one character between the columns, or the word tab",
        'delimiter: ";"',
        do='put the character in quotes, like `delimiter: "|"`',
    ),
    "file.line_ending": _choice(LineEnding, "line_ending: crlf"),
    "file.bom": Words("true or false", "bom: true", YES_OR_NO),
    "file.quote": _choice(Quote, "quote: all"),
    "file.header": Words("true or false", "header: false", YES_OR_NO),
    "file.null": Words(
        "what stands for a value that is not there",
        'null: "NULL"',
        do='put it in quotes, like `null: "NULL"`, or remove it',
    ),
    "file.formula_guard": Words("true or false", "formula_guard: true", YES_OR_NO),
    "file.extension": Words("what the name ends with", "extension: .txt"),
    "file.compression": _choice(Compression, "compression: gzip"),
    "file.pgp": Words("fields of its own: recipients, sign", "pgp: {recipients: [keys/acme.asc]}", do=_INDENT),
    "file.pgp.recipients": Words(
        f"1 to {MAX_RECIPIENTS} key files or fingerprints", "recipients: [keys/acme.asc]", do=_RECIPIENTS
    ),
    "file.pgp.recipients.*": Words("a key file or a fingerprint", "recipients: [keys/acme.asc]", do=_RECIPIENTS),
    "file.pgp.sign": Words("true or false", "sign: true", YES_OR_NO),
    "file.when_empty": _choice(WhenEmpty, "when_empty: skip"),
    "file.manifest": Words("true or false", "manifest: true", YES_OR_NO),
    "file.name": Words("a template of the file's name", "name: referrals_{sequence:06d}"),
    "expect_within": Words(_DURATION, "expect_within: 36h"),
    "collect_within": Words(_DURATION, "collect_within: 2d"),
    "notices": Words("fields of its own: webhook, email", "notices:", do=f"{_INDENT}, or remove it"),
    "notices.webhook": Words("fields of its own: url, secret_parameter, on", "webhook:", do=_INDENT),
    "notices.webhook.url": Words("an https:// address", "url: https://hooks.acme.example/referrals"),
    "notices.webhook.secret_parameter": Words(
        "the name of an SSM parameter, which starts with `/`", "secret_parameter: /referrals/acme/webhook"
    ),
    "notices.webhook.on": Words(_OCCURRENCES, "on: [file_available, file_late]"),
    "notices.webhook.on.*": _choice(Occurrence, "on: [file_available, file_late]"),
    "notices.email": Words("fields of its own: to, on, files", "email:", do=_INDENT),
    "notices.email.to": Words(f"1 to {MAX_ADDRESSES} email addresses", "to: crm@acme.example"),
    "notices.email.to.*": Words("one email address", "to: crm@acme.example"),
    "notices.email.on": Words(_OCCURRENCES, "on: [file_available, file_late]"),
    "notices.email.on.*": _choice(Occurrence, "on: [file_available, file_late]"),
    "notices.email.files": _choice(MailRhythm, "files: daily"),
}


# What people write for a field that has another name.
MEANT = {
    "name": "client", "email": "contact", "mail": "contact", "campaign": "campaign_type", "type": "campaign_type",
    "start": "deliver_from", "start_date": "deliver_from", "key": "public_key", "ssh_key": "public_key",
    "expiry": "expires", "valid_until": "expires", "tz": "timezone", "time_zone": "timezone", "time": "at",
    "times": "at", "interval": "every", "weekdays": "days", "weekday": "days", "day_of_week": "days",
    "days_of_week": "days", "days_of_the_week": "days", "date": "days_of_month", "dates": "days_of_month",
    "dom": "days_of_month", "month_day": "days_of_month", "month_days": "days_of_month", "monthday": "days_of_month",
    "monthdays": "days_of_month", "columns": "attributes", "fields": "attributes",
    "header": "name", "source": "from", "form": "from", "hash": "transform",
    "separator": "delimiter", "sep": "delimiter",
    "encoding": "bom", "line_endings": "line_ending", "newline": "line_ending", "eol": "line_ending",
    "quoting": "quote", "headers": "header", "nulls": "null", "zip": "compression", "gzip": "compression",
    "gpg": "pgp", "openpgp": "pgp", "encryption": "pgp", "encrypt": "pgp", "recipient": "recipients",
    "signed": "sign", "signature": "sign",
    "suffix": "extension", "ext": "extension", "file_extension": "extension", "compress": "compression",
    "gz": "compression", "null_value": "null", "null_string": "null", "file_name": "name", "filename": "name",
    "day_sequence": "name", "sequence": "name", "mapping": "map", "values": "map", "lookup": "map",
    "replace": "map", "exact": "equals", "exactly": "equals", "includes": "contains", "like": "contains",
    "case_insensitive": "ignore_case", "default": "if_no_match", "else": "if_no_match", "otherwise": "if_no_match",
    "other": "if_no_match", "fallback": "if_no_match", "if_null": "if_empty", "if_missing": "if_empty",
    "if_blank": "if_empty", "empty": "if_empty", "constant": "value", "const": "value", "fixed": "value",
    "date_format": "format", "decimals": "places", "precision": "places", "scale": "places", "round": "places",
    "digits": "places",
}  # fmt: skip

# What people write in the place of true and false, and of one of a field's choices.
MEANT_TRUTH = {
    "yes": "true", "y": "true", "on": "true", "1": "true", "t": "true", "no": "false", "n": "false", "off": "false",
    "0": "false", "f": "false", "none": "false", "never": "false",
}  # fmt: skip
MEANT_VALUES = {
    "file.format": {
        "txt": "csv", "text": "csv", "excel": "csv", "xlsx": "csv", "xls": "csv", "tab": "tsv", "pipe": "psv",
        "json": "jsonl", "ndjson": "jsonl",
    },
    "file.line_ending": {
        "windows": "crlf", "dos": "crlf", "\r\n": "crlf", "\\r\\n": "crlf", "unix": "lf", "linux": "lf", "\n": "lf",
        "\\n": "lf",
    },
    "file.quote": {
        "always": "all", "yes": "all", '"': "all", "needed": "minimal", "auto": "minimal", "never": "minimal",
        "none": "minimal", "no": "minimal",
    },
    "file.compression": {"gz": "gzip", ".gz": "gzip", ".zip": "zip", "yes": "gzip", "no": "none"},
}  # fmt: skip
