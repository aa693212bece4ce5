// Charts and numbers of the overview: each second while it is live, twice a minute when a longer time is shown.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("traffic");
  const [numbers, missing, pulse] = ["numbers", "missing", "pulse"].map((id) => document.getElementById(id));
  const charts = all(".chart", root).map((element) => new TimeChart(element, root.dataset.zone));

  function show({ points, html }) {
    for (const chart of charts) chart.set(points);
    if (html) numbers.innerHTML = html;
    lack("");
  }
  function lack(what) {
    missing.hidden = !what;
    missing.querySelector(".what").textContent = what;
    if (pulse) [pulse.className, pulse.textContent] = what ? ["badge waiting", "Waiting"] : ["badge ok", "Live"];
  }

  const first = JSON.parse(root.dataset.points);
  if (first.at) for (const chart of charts) chart.set(first);

  if (root.dataset.live) {
    const stream = new EventSource(root.dataset.live);
    stream.onmessage = (event) => show(JSON.parse(event.data));
    stream.addEventListener("missing", (event) => lack(JSON.parse(event.data)));
    stream.onerror = () => lack("The web admin does not answer.");
    addEventListener("pagehide", () => stream.close());
    return;
  }
  setInterval(async () => {
    try {
      const answer = await fetch(root.dataset.numbers, { headers: { "HX-Request": "true" } });
      if (answer.status === 204) location.reload();
      else if (answer.ok) show(await answer.json());
      else lack("The numbers cannot be had now.");
    } catch {
      lack("The web admin does not answer.");
    }
  }, 30000);
});
