"""File name templates: any two deliveries of a client get different names, and no resend or backfill gets one."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from referral_delivery.agreement import file_name
from referral_delivery.agreement.refusal import Refused
from referral_delivery.delivery.backfill import key_of
from referral_delivery.window import Window
from tests.support import contract, utc

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
EPOCH = utc("2026-01-01 00:00")
# Steps within a century after which one part of a time or another is as it was.
STEPS = [
    *(timedelta(seconds=n) for n in (1, 2, 10, 60, 600, 3_600, 36_000, 43_200)),
    *(timedelta(days=n) for n in (1, 7, 10, 28, 31, 59, 365, 366, 364, 1_461, 36_159)),
]
MOMENTS = [
    datetime(year, month, day, hour, minute, second, tzinfo=EPOCH.tzinfo)
    for year, month, day, hour, minute, second in product(
        (2026, 2027, 2125), (1, 2, 11), (1, 2, 11, 12), (0, 1, 11, 13), (0, 1), (0, 1)
    )
]

texts = st.sampled_from(
    ["_", "-", "", "x", "A", "1", "11", "r", "_r", "_r2", "referrals", "backfill", "_backfill_", "back"]
)
times = st.builds(
    lambda field, parts: f"{{{field}:{''.join(parts)}}}",
    st.sampled_from(["start", "end"]),
    st.lists(
        st.one_of(
            st.sampled_from(["%Y%m%d", "%H%M%S", "%Y%m%dT%H%M%SZ"]),
            st.sampled_from(file_name.DIRECTIVES).map("%{}".format),
        ),
        min_size=1,
        max_size=4,
    ),
)
sequences = st.sampled_from(
    ["{sequence}", "{sequence:d}", "{sequence:02d}", "{sequence:06d}", "{sequence:x}", "{sequence:03X}"]
)
templates = st.lists(st.one_of(texts, times, sequences, st.just("{client}")), min_size=1, max_size=7).map("".join)
moments = st.builds(
    lambda steps, second: EPOCH + sum(steps, timedelta(seconds=second)),
    st.lists(st.sampled_from(STEPS), max_size=4),
    st.integers(0, 400 * 366 * 86_400),
)
numbers = st.one_of(
    st.integers(1, 2_000), st.sampled_from([9, 10, 11, 99, 100, 110, 111, 999_999, 1_000_000, 11_111_111])
)


def accepted(template: str) -> bool:
    try:
        return file_name.check(template) == template
    except Refused:
        return False


def name(template: str, window: Window, sequence: int, client: str = "acme") -> str:
    return file_name.render(template, client=client, start=window.start, end=window.end, sequence=sequence)


@st.composite
def two_deliveries(draw: st.DrawFn) -> tuple[tuple[Window, int], tuple[Window, int]]:
    """Two deliveries of one client: the later one starts where the earlier ends, or after, with a larger number."""
    start = draw(moments)
    lengths = st.one_of(st.just(SECOND), st.sampled_from(STEPS))
    end = start + draw(lengths)
    later = end + draw(
        st.one_of(st.just(timedelta()), st.sampled_from(STEPS), st.sampled_from(STEPS).map(lambda s: s - SECOND))
    )
    number = draw(numbers)
    return (Window(start, end), number), (Window(later, later + draw(lengths)), number + draw(numbers))


def test_the_default_names_client_end_and_sequence() -> None:
    window = Window(utc("2026-11-01 00:00"), utc("2026-11-02 06:30"))
    assert name(file_name.DEFAULT_TEMPLATE, window, 42) == "referrals_acme_20261102T063000Z_000042"


@pytest.mark.parametrize("directive", file_name.DIRECTIVES)
def test_each_part_of_a_time_is_as_wide_for_one_moment_as_for_any_other(directive: str) -> None:
    written = {f"{EPOCH + n * timedelta(hours=7, seconds=1):%{directive}}" for n in range(3_000)}
    assert len({len(each) for each in written}) == 1
    assert len({each.casefold() for each in written}) == len(written) > 1
    assert "_" not in "".join(written)


@given(st.sets(st.sampled_from("YymbdjHIpMS")))
def test_a_template_is_refused_only_where_two_deliveries_would_get_the_same_name(directives: set[str]) -> None:
    template = "x{end:" + "".join(f"%{each}" for each in directives) + "}"
    names = Counter(f"{moment:{template[6:-1]}}" for moment in MOMENTS) if directives else Counter(x=2)
    assert accepted(template) == (max(names.values()) == 1)


@pytest.mark.parametrize(
    "template",
    [
        "{sequence}",
        "{sequence:x}",
        "{sequence:X}",
        "{end:%H}{sequence}",  # "1" + "11" is not "11" + "1": an hour has two digits
        "{sequence}{end:%H}{sequence:03d}",
        "x_r{sequence}",
        "referrals_{sequence:010d}",
        "{client}-{end:%Y%m%d%H%M%S}",
        "{client}_{start:%Y-%m-%d}_{start:%H%M%S}",
        "{end:%b%a}_{end:%Y-%j-%H%M%S}",
        "{start:%d%b%Y-%I%M%S%p}",
        "{end:%G-W%V-%u-%H%M%S}",
        "{start:%Y}_{end:%Y%m%dT%H%M%SZ}",
        "{sequence}_{end:%HH%MM}",  # 13H05M
        "{client}_{end:%y%m%d}_{sequence:04d}",
        "D{end:%y%m%d}.T{end:%H%M%S}",
        "referrals_{client}_{end:%Y%m%d}_{sequence}_x",
        "{client}_backfill_{sequence}",
    ],
)
def test_a_template_that_tells_deliveries_apart_is_accepted(template: str) -> None:
    assert file_name.check(template) == template


NOT_APART = [
    ("referrals", "any two deliveries", "`{end:%Y%m%dT%H%M%SZ}`"),
    ("{client}", "any two deliveries", "`{end:%Y%m%dT%H%M%SZ}`"),
    ("{end:%Y%m%dT%H%M}", "deliveries of the same minute", "the second (`%S`) to `{end:…}`"),
    ("{end:%Y%m%dT%H}", "deliveries of the same hour", "the minute and second (`%M%S`) to `{end:…}`"),
    ("{end:%Y%m%dT%H%S}", "deliveries of the same hour", "the minute (`%M`) to `{end:…}`"),
    ("{client}_{end:%Y%m%d}", "deliveries of the same day", "the hour, minute and second (`%H%M%S`) to `{end:…}`"),
    ("{end:%Y%m%d_%I%M%S}", "deliveries of the same day", "the hour (`%H`) to `{end:…}`"),
    ("{end:%Y%m%d_%p%M%S}", "deliveries of the same day", "the hour (`%H`) to `{end:…}`"),
    ("{end:%Y-%m_%a_%H%M%S}", "deliveries of the same month", "the day (`%d`) to `{end:…}`"),
    ("{end:%Y-%d_%H%M%S}", "deliveries of the same year", "the month (`%m`) to `{end:…}`"),
    ("{end:%Y_%H%M%S}", "deliveries of the same year", "the month and day (`%m%d`) to `{end:…}`"),
    ("{end:%j%H%M%S}", "deliveries of different years", "the year (`%Y`) to `{end:…}`"),
    ("{end:%m%d%H%M%S}", "deliveries of different years", "the year (`%Y`) to `{end:…}`"),
    ("{end:%G-%V-%H%M%S}", "deliveries of different days", "the year, month and day (`%Y%m%d`) to `{end:…}`"),
    ("{end:%Y}", "deliveries of the same year", "the month, day, hour, minute and second (`%m%d%H%M%S`) to `{end:…}`"),
    (
        "{end:%S}",
        "deliveries of different minutes",
        "the year, month, day, hour and minute (`%Y%m%d%H%M`) to `{end:…}`",
    ),
    ("{start:%d%H%M%S}", "deliveries of different months", "the year and month (`%Y%m`) to `{start:…}`"),
    ("{start:%H%M%S}", "deliveries of different days", "the year, month and day (`%Y%m%d`) to `{start:…}`"),
    # The day of one and the time of another tell neither; what is asked for is the shorter way.
    ("{start:%Y%m%d}_{end:%H%M%S}", "deliveries of different days", "the year, month and day (`%Y%m%d`) to `{end:…}`"),
    ("{end:%Y%m%d}_{start:%d%H%M%S}", "deliveries of different months", "the year and month (`%Y%m`) to `{start:…}`"),
]


@pytest.mark.parametrize(("template", "which", "do"), NOT_APART)
def test_a_template_that_tells_deliveries_not_apart_is_refused_with_what_is_missing(
    template: str, which: str, do: str
) -> None:
    with pytest.raises(Refused) as refused:
        file_name.check(template)
    assert (refused.value.found, refused.value.expected) == (None, f"a template that tells {which} apart")
    assert refused.value.do == f"add `{{sequence:06d}}`, or {do}"


SEQUENCE = ("a whole number, with leading zeros or without", "write it like `{sequence:06d}`")
END = (
    "parts of a time (%Y, %y, %m, %b, %d, %j, %G, %V, %u, %a, %H, %I, %p, %M, %S), and between them letters, digits, "
    "`.`, `_` and `-`",
    "write it like `{end:%Y%m%dT%H%M%SZ}`",
)
FORMATS = [
    *(
        (f"{{sequence:{spec}}}", *SEQUENCE)
        for spec in (
            ".2g",
            ",",
            "_",
            "6d",
            "+d",
            "c",
            "e",
            "%",
            "n",
            "b",
            "o",
            "0100d",
            "00d",
            "<06d",
            "x<6d",
            "#x",
            "%Y",
            "{client}",
        )
    ),
    *(
        (f"{{end:{spec}}}", *END)
        for spec in ("%s", "%c", "%x", "%X", "%Z", "%z", "%f", "%U", "%W", "%w", "%B", "%A", "%e")
    ),
    *(
        (f"{{end:{spec}}}", *END)
        for spec in (
            "%-d%-m",
            "%#d",
            "%Ey",
            "%6Y",
            "%%",
            "%Y%",
            "%Y/%m",
            "%Y %m",
            "{client}",
            "fixed",
            "%\n",
            "YYYYMMDD",
            "%Y-MM-DD",
            "yyyy%m%d",
        )
    ),
    ("{end}", *END),
    ("{start}", END[0], "write it like `{start:%Y%m%dT%H%M%SZ}`"),
    *((f"{{client:{spec}}}", "the client's name as it is", "write it `{client}`") for spec in ("06d", ".2", "_>12")),
]


@pytest.mark.parametrize(("field", "expected", "do"), FORMATS)
def test_a_format_whose_width_or_value_is_not_certain_is_refused(field: str, expected: str, do: str) -> None:
    with pytest.raises(Refused) as refused:
        file_name.check(f"x_{{sequence}}_{field}")
    assert (refused.value.found, refused.value.expected) == (f"a template with {' '.join(field.split())}", expected)
    assert refused.value.do == do


FIELDS = "only the fields {client}, {start}, {end}, {sequence}, {day_sequence}"
LIKE_THE_DEFAULT = f"write it like `{file_name.DEFAULT_TEMPLATE}`"


@pytest.mark.parametrize(
    ("template", "found", "do"),
    [
        ("{date}", "{date}", LIKE_THE_DEFAULT),
        ("{0}", "{0}", LIKE_THE_DEFAULT),
        ("{}", "{}", LIKE_THE_DEFAULT),
        ("{sequence}{}", "{}", LIKE_THE_DEFAULT),
        ("{end.year}_{sequence}", "{end.year}", LIKE_THE_DEFAULT),
        ("{client!r}_{sequence}", "{client!r}", "did you mean `{client}`?"),
        ("{Sequence}", "{Sequence}", "did you mean `{sequence}`?"),
    ],
)
def test_an_unknown_field_is_refused_with_those_that_exist(template: str, found: str, do: str) -> None:
    with pytest.raises(Refused) as refused:
        file_name.check(template)
    assert (refused.value.found, refused.value.expected) == (f"a template with {found}", FIELDS)
    assert refused.value.do == do


@pytest.mark.parametrize("template", ["{sequence", "sequence}", "{sequence:%Y", "{"])
def test_a_template_with_an_open_brace_is_refused(template: str) -> None:
    with pytest.raises(Refused) as refused:
        file_name.check(template)
    assert (refused.value.expected, refused.value.do) == ("a template with each { closed by a }", LIKE_THE_DEFAULT)


@pytest.mark.parametrize(
    ("template", "sample"),
    [
        ("exports/{sequence}", "exports/1"),
        ("../{client}_{sequence}", "../client_1"),
        ("-{sequence}", "-1"),
        (".{sequence}", ".1"),
        ("a b{sequence}", "a b1"),
        ("{{x}}{sequence}", "{x}1"),
        ("é{sequence}", "é1"),
        ("{sequence}\n", "1"),
        ("x" * 191 + "{sequence}", "x" * 80),
        ("{client}" * 6 + "{sequence}", "client" * 6 + "1"),
        ("{sequence:099d}" * 2 + "xxx", "0" * 80),
    ],
)
def test_a_name_that_is_not_safe_everywhere_is_refused(template: str, sample: str) -> None:
    with pytest.raises(Refused) as refused:
        file_name.check(template)
    assert refused.value.found == f"a template of names such as `{sample}`"
    assert refused.value.expected == "names of at most 200 letters, digits, `.`, `_` and `-`, no `.` or `-` first"
    assert refused.value.do == "remove paths, quotes, blanks and the like"


@pytest.mark.parametrize("template", ["x" * 190 + "{sequence}", "x" * 30 + "{client}" * 5 + "{sequence}"])
def test_200_characters_are_enough_for_clients_of_32_and_a_billion_deliveries(template: str) -> None:
    assert file_name.check(template) == template


STAMPS = "{start:%Y%m%dT%H%M%SZ}_{end:%Y%m%dT%H%M%SZ}"


@pytest.mark.parametrize(
    ("client", "template"),
    [
        ("acme", f"referrals_{{client}}_backfill_{STAMPS}"),
        ("acme", f"Referrals_acme_Backfill_{STAMPS}"),
        ("backfill", f"referrals_backfill_{{client}}_{STAMPS}"),
        ("fill", f"referrals_fill_back{{client}}_{STAMPS}"),
        ("referrals", f"{{client}}_{{client}}_backfill_{STAMPS}"),
        ("acme", "referrals_{client}_backfill{start:_%Y%m%dT%H%M%SZ_}{end:%Y%m%dT%H%M%SZ}"),
    ],
)
def test_a_template_that_can_give_the_name_of_a_backfill_is_refused(client: str, template: str) -> None:
    window = Window(EPOCH, EPOCH + DAY)
    backfill = key_of(contract(client), window)
    assert f"downloads/{client}/{name(template, window, 1, client)}.csv".casefold() == backfill.casefold()
    with pytest.raises(Refused) as refused:
        file_name.check(template)
    expected = "a template of names that no backfill has, which are `referrals_<client>_backfill_<start>_<end>`"
    assert (refused.value.expected, refused.value.do) == (expected, "leave out `backfill`")


@settings(max_examples=300, deadline=None)
@given(templates, two_deliveries())
def test_no_two_deliveries_get_the_same_name(
    template: str, both: tuple[tuple[Window, int], tuple[Window, int]]
) -> None:
    assume(accepted(template))
    one, other = both
    assert name(template, *one).casefold() != name(template, *other).casefold()


@settings(max_examples=100, deadline=None)
@given(templates, two_deliveries(), st.integers(2, 300), st.booleans())
def test_no_delivery_gets_the_name_of_a_resend(
    template: str, both: tuple[tuple[Window, int], tuple[Window, int]], number: int, later: bool
) -> None:
    assume(accepted(template))
    original, another = both if later else both[::-1]
    assert f"{name(template, *original)}_r{number}".casefold() != name(template, *another).casefold()


@pytest.mark.parametrize("client", ["acme", "backfill", "fill", "referrals", "jan"])
@settings(max_examples=30, deadline=None)
@given(template=templates, both=two_deliveries())
def test_no_delivery_gets_the_name_of_a_backfill(
    client: str, template: str, both: tuple[tuple[Window, int], tuple[Window, int]]
) -> None:
    assume(accepted(template))
    (window, sequence), _ = both
    backfill = key_of(contract(client), window).rpartition("/")[2].removesuffix(".csv")
    assert name(template, window, sequence, client).casefold() != backfill.casefold()
