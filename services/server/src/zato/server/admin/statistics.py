"""Admin services for statistics, `zato.stats.*`, and for how a service fared, `zato.service.get-by-name`."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, Unavailable
from zato.common.text_formats import parse_time
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Run, Values
from zato.server.admin.noting import noted
from zato.server.admin.service_states import SERVICE, find_entry, service_by_name
from zato.server.control.changes import Author
from zato.server.describe.kinds import which
from zato.server.describe.schemas import array, boolean, integer, nullable, number, record, text
from zato.server.http.traffic import CHANNEL, SERVER
from zato.server.services.moments import utc_now
from zato.server.services.statistics_reading import Numbers, StatisticsReader, Window
from zato.server.services.store import INTERNAL_PREFIX

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_MOST = 1000
_DEFAULT_MOST = 10
_RANKS: Mapping[str, Callable[[Numbers], float]] = {
    "usage": lambda numbers: numbers.runs,
    "mean": lambda numbers: numbers.mean_ms,
    "errors": lambda numbers: numbers.errors,
    "time": lambda numbers: numbers.total_us,
}
_LAST_HOUR = timedelta(hours=1)
_STATISTICS, _SERVICES = Area("Statistics"), Area("Services")
_RANGE = {
    "start": text("From when on, ISO 8601, UTC unless it says otherwise"),
    "stop": text("Until when; now when it is not given"),
    "last_s": number("Instead of start: so many seconds before stop, 3600 when neither is given"),
}
_RANKED = {
    "n": integer("How many services", minimum=1, maximum=_MOST, default=_DEFAULT_MOST),
    "n_type": text("What they are ranked by", enum=list(_RANKS), default="usage"),
    "is_internal": boolean("Whether the platform's own services count too", default=False),
}
_FARED = {
    "usage": integer("How often it ran"),
    "errors": integer("How often it failed"),
    "error_perc": number("The same in percent"),
    "rate": number("Runs a second"),
    "mean": number("Milliseconds that a run took, on average"),
    "p50": number("Milliseconds that half of the runs took at most"),
    "p95": number("Milliseconds that 95 % took at most"),
    "p99": number("Milliseconds that 99 % took at most"),
    "time": number("Milliseconds that all runs took together"),
    "min_resp_time": number("Milliseconds of the shortest run"),
    "max_resp_time": number("Milliseconds of the longest run"),
}
_SUMMARY = {"service_name": text("Name of the service; empty for all together"), **_FARED}
_SHARE = {
    "all_services_usage": integer("How often all services ran"),
    "all_services_time": number("Milliseconds that all of them took together"),
    "mean_all_services": number("Milliseconds that a run took, on average of all"),
    "usage_perc_all_services": number("Which part of all runs it has, in percent"),
    "time_perc_all_services": number("Which part of all time it took, in percent"),
}
_TRENDS = {
    "usage_trend": text("How often it ran in each part of the time, with commas between"),
    "mean_trend": text("Milliseconds that a run took in each part of the time, with commas between"),
}
_POINT = record(
    {
        "start": text("Where this part of the time begins, UTC", format="date-time"),
        **{name: _FARED[name] for name in ("usage", "errors", "mean", "p50", "p95", "p99", "rate")},
    }
)
_SUBJECTS = array(record({"name": text("Of the channel, server or service; empty where no channel matched"), **_FARED}))
_TRAFFIC = record(
    {
        **_FARED,
        "resolution_s": integer("Seconds that each part of the time has"),
        "points": array(_POINT),
        **dict.fromkeys(("channels", "servers", "services"), _SUBJECTS),
    }
)
_RANKING = record({**_SUMMARY, **_SHARE})
_WITH_NUMBERS = {
    "usage": integer("How often it ran ever"),
    "errors": integer("How often it failed ever"),
    "last_used": nullable(text("When it ran last, UTC; null for never")),
    "time_min_all_time": number("Milliseconds of its shortest run ever"),
    "time_max_all_time": number("Milliseconds of its longest run ever"),
    "time_mean_all_time": number("Milliseconds that a run takes, on average"),
}
# The first day of the period that a day is in, and the first one after it.
_PERIODS: Mapping[str, tuple[Callable[[date], date], Callable[[date], date]]] = {
    "day": (lambda day: day, lambda day: day + timedelta(days=1)),
    "week": (lambda day: day - timedelta(days=day.weekday()), lambda day: day + timedelta(days=7)),
    "month": (lambda day: day.replace(day=1), lambda day: _next_month(day)),
    "year": (lambda day: day.replace(month=1, day=1), lambda day: day.replace(year=day.year + 1)),
}


def statistics_actions(reader: StatisticsReader, http: StatisticsReader) -> dict[str, Action]:
    """
    Return the actions by the names of their services.

    Args:
        reader: Of what services did.
        http: Of what channels and servers answered.
    """
    return {
        **{f"zato.stats.{name}": each for name, each in _number_actions(reader, http).items()},
        "zato.service.get-by-name": _SERVICES.action(
            lambda admin, values, author: with_numbers(reader, service_by_name(admin, values, author)),
            Role.VIEWER,
            "Return the service that the name or the id says, and how it has fared",
            takes=which({}),
            returns=record({**SERVICE["properties"], **_WITH_NUMBERS}, optional=_WITH_NUMBERS),
        ),
    }


def _number_actions(reader: StatisticsReader, http: StatisticsReader) -> dict[str, Action]:
    def delete(_admin: "Admin", values: Values, _author: Author) -> dict[str, int]:
        return {"deleted": sum(each.delete(*_range(values)) for each in (reader, http))}

    looks = partial(_STATISTICS.action, role=Role.VIEWER)
    ranking = record({**_RANGE, **_RANKED}, optional={**_RANGE, **_RANKED})
    of_service = {"service": text("Name of the service"), "service_id": integer("Its number, instead of its name"), **_RANGE}
    in_series = {
        "service": text("Name of the service; all when it is not given"),
        **_RANGE,
        "is_internal": _RANKED["is_internal"],
    }
    in_traffic = {**_RANGE, "is_internal": _RANKED["is_internal"]}
    made = {
        "get-trends": looks(
            lambda _admin, values, _author: ranked(reader, *_range(values), values, has_trends=True),
            help="Return the slowest or most used services of a span of time, with their trends",
            takes=ranking,
            returns=array(record({**_SUMMARY, **_SHARE, **_TRENDS})),
        ),
        "get-summary-by-range": looks(
            lambda _admin, values, _author: ranked(reader, *_range(values), values),
            help="Return the slowest or most used services of a span of time",
            takes=ranking,
            returns=array(_RANKING),
        ),
        "get-by-service": looks(
            lambda admin, values, _author: by_service(reader, admin, values),
            help="Return how one service fared in a span of time",
            takes=record(of_service, optional=of_service),
            returns=record({**_SUMMARY, **_TRENDS, "series": array(_POINT)}),
        ),
        "get-series": looks(
            lambda _admin, values, _author: series(reader, values),
            help="Return numbers over time, for charts",
            takes=record(in_series, optional=in_series),
            returns=record(
                {**_SUMMARY, "resolution_s": integer("Seconds that each part of the time has"), "points": array(_POINT)}
            ),
        ),
        "get-traffic": looks(
            lambda _admin, values, _author: traffic(reader, http, values),
            help="Return HTTP requests over time, and by channel, server and service, up to the last second",
            takes=record(in_traffic, optional=in_traffic),
            returns=_TRAFFIC,
        ),
        "delete": _STATISTICS.action(
            noted(delete, "start", "stop"),
            Role.DEPLOYER,
            "Delete the statistics of a span of time",
            takes=record(_RANGE, optional=_RANGE),
            returns=record({"deleted": integer("How many parts of the time")}),
        ),
    }
    for period in _PERIODS:
        in_period = {"start": text(f"A day of the {period}; today when it is not given"), **_RANKED}
        made[f"get-summary-by-{period}"] = looks(
            _by_period(reader, period),
            help=f"Return the slowest or most used services of a {period}",
            takes=record(in_period, optional=in_period),
            returns=array(_RANKING),
        )
    return made


def ranked(
    reader: StatisticsReader, start: float, stop: float, values: Values, *, has_trends: bool = False
) -> list[dict[str, Any]]:
    """
    Return the `n` services that lead by `n_type`, each with its share of all.

    Args:
        has_trends: With what they did in each part of the time.
    """
    count, rank = _count(values), _rank(values)
    window = reader.window(start, stop)
    found = {name: each for name, each in window.summaries().items() if _is_wanted(name, values)}
    everything = Numbers()
    for numbers in found.values():
        everything.add(numbers)
    best = sorted(found, key=lambda name: (-rank(found[name]), name))[:count]
    return [
        {
            **_summary(name, found[name], window),
            **_share(found[name], everything),
            **(_trends(name, window) if has_trends else {}),
        }
        for name in best
    ]


def by_service(reader: StatisticsReader, admin: "Admin", values: Values) -> dict[str, Any]:
    entry = find_entry(admin, {"id": values["service_id"]} if "service_id" in values else {"name": values.get("service", "")})
    window = reader.window(*_range(values))
    numbers = window.summaries().get(entry.name, Numbers())
    return {
        **_summary(entry.name, numbers, window),
        **_trends(entry.name, window),
        "series": _points(window, lambda name: name == entry.name),
    }


def series(reader: StatisticsReader, values: Values) -> dict[str, Any]:
    """Return numbers over time, of one `service` or of all together."""
    service = values.get("service") or ""
    if not isinstance(service, str):
        raise BadRequest("'service' takes the name of a service")
    window = reader.window(*_range(values))
    total = Numbers()
    for name, numbers in window.summaries().items():
        if name == service or (not service and _is_wanted(name, values)):
            total.add(numbers)
    return {
        **_summary(service, total, window),
        "resolution_s": window.resolution.seconds,
        "points": _points(window, lambda name: name == service or (not service and _is_wanted(name, values))),
    }


def traffic(services: StatisticsReader, http: StatisticsReader, values: Values) -> dict[str, Any]:
    """
    Return HTTP requests over time, of all, and by channel and server, with the runs of services beside them. Of the last two
    minutes there are numbers for each second, less than a second old.
    """
    start, stop = _range(values)
    requests, runs = http.window(start, stop), services.window(start, stop)
    summaries = requests.summaries()
    total = Numbers()
    for name, numbers in summaries.items():
        if name.startswith(SERVER):
            total.add(numbers)
    return {
        **_fared(total, requests),
        "resolution_s": requests.resolution.seconds,
        "points": _points(requests, lambda name: name.startswith(SERVER)),
        "channels": _ranked_subjects(summaries, CHANNEL, requests),
        "servers": _ranked_subjects(summaries, SERVER, requests),
        "services": _ranked_subjects(
            {name: each for name, each in runs.summaries().items() if _is_wanted(name, values)}, "", runs
        ),
    }


def _ranked_subjects(summaries: Mapping[str, Numbers], prefix: str, window: Window) -> list[dict[str, Any]]:
    found = {name.removeprefix(prefix): each for name, each in summaries.items() if name.startswith(prefix)}
    ranking = sorted(found, key=lambda name: (-found[name].runs, name))[:_MOST]
    return [{"name": name, **_fared(found[name], window)} for name in ranking]


def with_numbers(reader: StatisticsReader, service: dict[str, Any]) -> dict[str, Any]:
    """Return a service with how it has fared ever, as it was published; as it is while Redis does not answer."""
    try:
        numbers = reader.since_ever().get(service["name"], Numbers())
    except Unavailable:
        return service
    return {
        **service,
        "usage": numbers.runs,
        "errors": numbers.errors,
        "last_used": datetime.fromtimestamp(numbers.last, UTC).isoformat() if numbers.last else None,
        "time_min_all_time": round(numbers.least_ms, 3),
        "time_max_all_time": round(numbers.most_ms, 3),
        "time_mean_all_time": round(numbers.mean_ms, 3),
    }


def _points(window: Window, is_wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    points = []
    for point in window.points:
        numbers = Numbers()
        for name, each in point.services.items():
            if is_wanted(name):
                numbers.add(each)
        points.append(
            {
                "start": datetime.fromtimestamp(point.start, UTC).isoformat(),
                "usage": numbers.runs,
                "errors": numbers.errors,
                "mean": round(numbers.mean_ms, 3),
                "p50": round(numbers.percentile_ms(50), 3),
                "p95": round(numbers.percentile_ms(95), 3),
                "p99": round(numbers.percentile_ms(99), 3),
                "rate": round(numbers.runs / window.resolution.seconds, 3),
            }
        )
    return points


def _is_wanted(name: str, values: Values) -> bool:
    return not name.startswith(INTERNAL_PREFIX) or values.get("is_internal") is True


def _summary(service: str, numbers: Numbers, window: Window) -> dict[str, Any]:
    return {"service_name": service, **_fared(numbers, window)}


def _fared(numbers: Numbers, window: Window) -> dict[str, Any]:
    return {
        "usage": numbers.runs,
        "errors": numbers.errors,
        "error_perc": _percent(numbers.errors, numbers.runs),
        "rate": round(numbers.runs / window.seconds, 3),
        "mean": round(numbers.mean_ms, 3),
        "p50": round(numbers.percentile_ms(50), 3),
        "p95": round(numbers.percentile_ms(95), 3),
        "p99": round(numbers.percentile_ms(99), 3),
        "time": round(numbers.total_us / 1000, 3),
        "min_resp_time": round(numbers.least_ms, 3),
        "max_resp_time": round(numbers.most_ms, 3),
    }


def _share(numbers: Numbers, everything: Numbers) -> dict[str, Any]:
    return {
        "all_services_usage": everything.runs,
        "all_services_time": round(everything.total_us / 1000, 3),
        "mean_all_services": round(everything.mean_ms, 3),
        "usage_perc_all_services": _percent(numbers.runs, everything.runs),
        "time_perc_all_services": _percent(numbers.total_us, everything.total_us),
    }


def _trends(service: str, window: Window) -> dict[str, str]:
    """As they were published: numbers with commas between."""
    each = [point.services.get(service, Numbers()) for point in window.points]
    return {
        "usage_trend": ",".join(str(numbers.runs) for numbers in each),
        "mean_trend": ",".join(f"{numbers.mean_ms:.3f}" for numbers in each),
    }


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _count(values: Values) -> int:
    count = values.get("n", _DEFAULT_MOST)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise BadRequest(f"'n' takes a whole number from 1 to {_MOST}")
    return count


def _rank(values: Values) -> Callable[[Numbers], float]:
    name = values.get("n_type") or "usage"
    if name not in _RANKS:
        raise BadRequest(f"'n_type' takes {', '.join(_RANKS)}, not {name!r:.40}")
    return _RANKS[name]


# Times


def _range(values: Values) -> tuple[float, float]:
    """Without `start` and `stop` the last hour is meant, or the last `last_s` seconds."""
    stop = _time(values, "stop") if values.get("stop") else utc_now()
    last_s = values.get("last_s")
    if last_s is not None and (isinstance(last_s, bool) or not isinstance(last_s, int | float) or not 0 < last_s < 1e9):
        raise BadRequest("'last_s' takes a number of seconds")
    start = _time(values, "start") if values.get("start") else stop - (timedelta(seconds=last_s) if last_s else _LAST_HOUR)
    return start.timestamp(), stop.timestamp()


def _time(values: Values, name: str) -> datetime:
    try:
        time = parse_time(str(values[name]))
    except ValueError as exc:
        raise BadRequest(f"'{name}' takes {exc}") from None
    return time.replace(tzinfo=time.tzinfo or UTC)


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _by_period(reader: StatisticsReader, period: str) -> Run:
    first, after = _PERIODS[period]

    def summarise(_admin: "Admin", values: Values, _author: Author) -> list[dict[str, Any]]:
        day = first(_time(values, "start").date() if values.get("start") else utc_now().date())
        start, stop = (datetime(each.year, each.month, each.day, tzinfo=UTC).timestamp() for each in (day, after(day)))
        return ranked(reader, start, stop, values)

    return summarise
