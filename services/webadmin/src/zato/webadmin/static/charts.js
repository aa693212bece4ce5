// Charts of numbers over time: uPlot in the colours of the theme.
"use strict";

function colour(name) {
  // A token is for both themes at once; what it means here and now, only the browser knows.
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function shortNumber(value) {
  if (value == null) return "–";
  if (Math.abs(value) >= 10000) return `${+(value / 1000).toFixed(1)}k`;
  return String(+value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0));
}

class TimeChart {
  // `element` says what it shows: data-lines="<name>:<label>:<colour token> …" and data-unit.
  constructor(element, zone) {
    this.element = element;
    this.lines = element.dataset.lines.split(" ").map((line) => line.split(":"));
    this.unit = element.dataset.unit;
    this.zone = zone;
    this.points = { at: [] };
    this.draw();
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  size() {
    return { width: Math.max(200, this.element.clientWidth), height: 210 };
  }

  // What the legend tells while nobody points at the chart.
  last(name) {
    return this.points[name]?.at(-1);
  }

  // The time of day, as exact as it matters; of several days, the day.
  clock(seconds) {
    if (seconds == null) return "–";
    const { at } = this.points;
    const span = at.length ? at[at.length - 1] - at[0] : 0;
    const parts = span > 172800 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
    if (span < 600) parts.second = "2-digit";
    return new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: this.zone }).format(new Date(seconds * 1000));
  }

  draw() {
    this.plot?.destroy();
    const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px Inter, sans-serif" };
    const series = this.lines.map(([name, label, token], index) => ({
      label,
      stroke: colour(token),
      width: 1.75,
      fill: index === 0 && this.unit === "/s" ? colour(`${token}-soft`) : undefined,
      points: { show: false },
      value: (_plot, value, _line, at) => `${shortNumber(at == null ? this.last(name) : value)} ${this.unit}`,
    }));
    const options = {
      ...this.size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.zone),
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      legend: { live: true },
      scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, space: 70, values: (_plot, at) => at.map((seconds) => this.clock(seconds)) }, { ...axis, size: 56, values: (_plot, values) => values.map(shortNumber) }],
      series: [{ label: "Time", value: (_plot, seconds) => this.clock(seconds ?? this.last("at")) }, ...series],
    };
    this.plot = new uPlot(options, this.data(), this.element);
  }

  data() {
    return [this.points.at, ...this.lines.map(([name]) => this.points[name] ?? [])];
  }

  set(points) {
    this.points = points;
    this.plot.setData(this.data());
  }
}
