// The page's behaviour: draw what comes into view in the reader's colours, pin a trial, sort tables.
// All text goes in through textContent; the address (#t0042) is the one place that says
// which trial is pinned.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const byId = new Map(Object.values(data.trials).map((trial) => [trial.id, trial]));
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg", filename: "automtl" },
  };
  let selected = data.trials[data.selected];
  let [x, y] = data.pair;

  // ---- figures -----------------------------------------------------------------------------

  const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function themed(layout) {
    const [ink, muted, line] = ["--ink", "--muted", "--line"].map(color);
    const axis = (own) => ({ ...own, gridcolor: line, linecolor: line });
    return {
      ...layout,
      font: { ...layout.font, color: muted },
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      shapes: (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: muted } })),
      modebar: { ...layout.modebar, color: line, activecolor: muted },
      annotations: (layout.annotations || []).map((note) => ({ ...note, font: { ...note.font, color: muted } })),
      hoverlabel: {
        ...layout.hoverlabel,
        bgcolor: color("--raised"),
        bordercolor: line,
        font: { ...layout.hoverlabel.font, color: ink },
      },
    };
  }

  // where a point's place on an axis of the view is, from 0 (worst) to 1 (best)
  function placeOn(name, value) {
    const { type, range } = data.axes[name];
    return ((type === "log" ? Math.log10(value) : value) - range[0]) / (range[1] - range[0]);
  }

  // a label stays inside of the view
  function labelSide(side, value) {
    const place = placeOn(side === "x" ? x : y, value);
    if (side === "y") return place > 0.9 ? "bottom" : "top";
    return place > 0.85 ? "left" : place < 0.15 ? "right" : "center";
  }

  function frontTrace(trace) {
    const part = trace.meta && trace.meta.part;
    if (part === "legend") return trace;
    const drawn = { ...trace, marker: { ...trace.marker } };
    if (trace.customdata) {
      drawn.x = trace.customdata.map((number) => data.values[x][number]);
      drawn.y = trace.customdata.map((number) => data.values[y][number]);
    }
    if (part === "front" || part === "dominated") {
      drawn.marker.line = { ...trace.marker.line, color: color("--paper") };
    } else if (part === "line") {
      drawn.line = { ...trace.line, color: color("--muted") };
    } else {
      drawn.marker.color = color("--ink");
      drawn.textfont = { ...trace.textfont, color: color("--ink") };
      if (part === "knee") drawn.textposition = `${labelSide("y", drawn.y[0])} ${labelSide("x", drawn.x[0])}`;
    }
    return drawn;
  }

  function ring(trial) {
    return {
      type: "scatter",
      x: [data.values[x][trial.number]],
      y: [data.values[y][trial.number]],
      mode: "markers",
      hoverinfo: "skip",
      showlegend: false,
      marker: { symbol: "circle-open", size: 21, color: color("--accent"), line: { width: 3 } },
    };
  }

  // the means over fresh seeds with their intervals, and from where one seed had them
  function confirmedTraces() {
    const [along, up] = [data.confirmed[x], data.confirmed[y]];
    if (!along || !up) return [];
    const numbers = Object.keys(along).filter((number) => data.trials[number]);
    const bar = (side) => ({
      type: "data",
      symmetric: false,
      array: numbers.map((number) => side[number][2] - side[number][0]),
      arrayminus: numbers.map((number) => side[number][0] - side[number][1]),
      color: color("--ink"),
      thickness: 1,
      width: 3,
    });
    const path = (name, side) => numbers.flatMap((number) => [data.values[name][number], side[number][0], null]);
    return [
      {
        type: "scatter", mode: "lines", x: path(x, along), y: path(y, up), hoverinfo: "skip",
        showlegend: false, line: { color: color("--muted"), width: 1, dash: "dot" },
      },
      {
        type: "scatter", mode: "markers", name: "mean of fresh seeds", customdata: numbers.map(Number),
        x: numbers.map((number) => along[number][0]), y: numbers.map((number) => up[number][0]),
        error_x: bar(along), error_y: bar(up), hoverinfo: "text",
        hovertext: numbers.map((number) => `<b>${data.trials[number].id}</b>: mean of fresh seeds`),
        marker: { symbol: "circle-open", size: 9, color: color("--ink"), line: { width: 1.5 } },
      },
    ];
  }

  // `fresh` forgets the zoom: the axes are others
  function drawFront(fresh = false) {
    const { data: traces, layout } = data.figures.front;
    const reference = traces.find((trace) => trace.meta && trace.meta.part === "reference");
    const shapes = reference
      ? (layout.shapes || []).map((shape) =>
          shape.xref === "x domain"
            ? { ...shape, y0: data.values[y][reference.customdata[0]], y1: data.values[y][reference.customdata[0]] }
            : { ...shape, x0: data.values[x][reference.customdata[0]], x1: data.values[x][reference.customdata[0]] })
      : [];
    const axes = { xaxis: structuredClone(data.axes[x]), yaxis: structuredClone(data.axes[y]) };
    const all = [...traces.map(frontTrace), ...confirmedTraces(), ring(selected)];
    Plotly[fresh ? "newPlot" : "react"]("front", all, themed({ ...layout, ...axes, shapes }), config);
    if (fresh) at("front").on("plotly_click", (event) => pin(event.points[0].customdata));
    const inside = (name, value) => placeOn(name, value) >= 0 && placeOn(name, value) <= 1;
    const outside = Object.keys(data.trials).filter(
      (number) => !inside(x, data.values[x][number]) || !inside(y, data.values[y][number])).length;
    at("outside").textContent = outside
      ? `${outside} ${outside === 1 ? "trial lies" : "trials lie"} outside of the view: double-click to see all.` : "";
  }

  function drawHypervolume(fresh = false) {
    const { data: traces, layout } = data.figures.hypervolume;
    const all = traces.map((trace) => ({
      ...trace,
      line: { ...trace.line, color: color("--accent") },
      marker: { ...trace.marker, color: color("--accent") },
    }));
    const quiet = { ...config, displayModeBar: false };
    Plotly[fresh ? "newPlot" : "react"]("hypervolume", all, themed(layout), quiet);
    if (fresh) at("hypervolume").on("plotly_click", (event) => pin(event.points[0].customdata));
  }

  // a map of shares goes from the paper to the accent; other accents are the reader's, too
  function plainTrace(trace) {
    const part = trace.meta && trace.meta.part;
    if (part === "share") return { ...trace, colorscale: [[0, color("--wash")], [1, color("--accent")]] };
    if (part !== "accent") return trace;
    return JSON.parse(JSON.stringify(trace).replaceAll(trace.meta.color, color("--accent")));
  }

  function drawPlain(id, fresh = false) {
    const node = at(id);
    const choice = document.querySelector(`select.choice[data-group="${node.dataset.group}"]`);
    const { data: traces, layout } = data.plots[id][choice ? choice.value : 0];
    const quiet = { ...config, displayModeBar: false };
    Plotly[fresh ? "newPlot" : "react"](node, traces.map(plainTrace), themed(layout), quiet);
    if (fresh) node.on("plotly_click", (event) => pin(event.points[0].customdata));
  }

  // ---- when they are drawn: when they come into view, or all for the printer -----------------

  const drawers = { front: drawFront, hypervolume: drawHypervolume };
  const drawn = new Set();
  const redraw = (id, fresh = false) => (drawers[id] || ((now) => drawPlain(id, now)))(fresh);
  function appear(id) {
    if (drawn.has(id)) return;
    drawn.add(id);
    try {
      redraw(id, true);
    } catch (error) {
      reportError(error);  // and go on: the others come into view with it
    }
  }
  const coming = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        coming.unobserve(entry.target);
        appear(entry.target.id);
      }
    },
    { rootMargin: "400px" });

  // ---- the pinned trial --------------------------------------------------------------------

  function fillPanel(trial) {
    at("panel-id").textContent = trial.id;
    at("panel-model").textContent = trial.model;
    const tags = [...(trial.on_front ? ["on the front"] : []), ...trial.tags];
    at("panel-tags").replaceChildren(
      ...tags.map((tag) => make("span", `tag ${tag.replaceAll(" ", "-")}`, tag)));
    at("panel-values").tBodies[0].replaceChildren(
      ...trial.values.map((cell) => {
        const row = make("tr");
        const value = make("td", "", cell.text);
        if (cell.gain) value.append(make("span", `gain ${cell.sign}`, cell.gain));
        row.append(make("td", "", cell.heading), value);
        return row;
      }));
    const body = make("span", "", trial.yaml);
    at("panel-yaml").replaceChildren(
      make("span", "shared", data.yaml.head), body, make("span", "shared", data.yaml.tail));
    at("panel-yaml").scrollTop = Math.max(0, body.offsetTop - at("panel-yaml").offsetTop - 20);
    at("copy").textContent = "Copy YAML";
    for (const row of document.querySelectorAll("#trials tbody tr")) {
      row.classList.toggle("selected", Number(row.dataset.number) === trial.number);
    }
  }

  function select(trial) {
    selected = trial;
    fillPanel(trial);
    if (drawn.has("front")) drawFront();
    at("panel").scrollIntoView({ block: "nearest" });
  }

  const addressed = () => byId.get(decodeURIComponent(location.hash.slice(1)));
  const pin = (number) => {
    const trial = data.trials[number];
    if (trial) location.hash = trial.id;
  };

  async function copy() {
    const yaml = data.yaml.head + selected.yaml + data.yaml.tail;
    try {
      await navigator.clipboard.writeText(yaml);
    } catch {
      const area = make("textarea", "", yaml);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    at("copy").textContent = "Copied";
    setTimeout(() => (at("copy").textContent = "Copy YAML"), 1500);
  }

  // ---- the table ---------------------------------------------------------------------------

  function sortBy(header) {
    const table = header.closest("table");
    const column = header.cellIndex;
    const first = header.dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = header.getAttribute("aria-sort") === first ? other : first;
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    const key = (row) => row.cells[column].dataset.sort;
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === "" || right === "") return (left === "") - (right === "");
      const difference = Number(left) - Number(right);
      return sign * (Number.isNaN(difference) ? left.localeCompare(right) : difference);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }

  const BOM = "\ufeff";  // without it Excel does not read UTF-8
  // the rows that are shown, in their order: numbers as they are, texts so that no spreadsheet takes
  // one for a formula
  function csv(table) {
    const quoted = (value) => `"${value.replaceAll('"', '""')}"`;
    const plain = (value) => quoted(/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
    const told = (cell) => {
      const value = cell.dataset.sort;
      if (cell.classList.contains("number")) return value;
      return plain(cell.querySelector("a") ? cell.textContent : value);
    };
    const head = [...table.tHead.rows[0].cells].map((cell) => plain(cell.textContent));
    const rows = [...table.tBodies[0].rows]
      .filter((row) => row.offsetParent !== null)
      .map((row) => [...row.cells].map(told));
    return [head, ...rows].map((row) => row.join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([BOM + csv(at("trials"))], { type: "text/csv;charset=utf-8" }));
    link.download = `${document.title.split(" ")[0]}-trials.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const figures = document.querySelectorAll(".figure");

  // ---- wiring ------------------------------------------------------------------------------

  for (const [id, initial, change] of [
    ["pick-x", x, (name) => ([x, y] = [name, name === y ? x : y])],
    ["pick-y", y, (name) => ([x, y] = [name === x ? y : x, name])],
  ]) {
    if (!at(id)) continue;
    at(id).append(...Object.keys(data.axes).map((name) => make("option", "", name)));
    at(id).value = initial;
    at(id).addEventListener("change", (event) => {
      change(event.target.value);
      at("pick-x").value = x;
      at("pick-y").value = y;
      if (drawn.has("front")) drawFront(true);
    });
  }
  for (const choice of document.querySelectorAll("select.choice")) {
    choice.addEventListener("change", () => {
      for (const node of document.querySelectorAll(`.figure[data-group="${choice.dataset.group}"]`)) {
        if (drawn.has(node.id)) redraw(node.id, true);
      }
    });
  }
  at("copy").addEventListener("click", copy);
  at("save").addEventListener("click", save);
  if (at("all")) {
    at("all").addEventListener("change", (event) =>
      at("trials").classList.toggle("front-only", !event.target.checked));
  }
  for (const header of document.querySelectorAll("#trials th")) {
    header.querySelector("button").addEventListener("click", () => sortBy(header));
  }
  at("trials").tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a")) return;
    pin(row.dataset.number);
  });
  window.addEventListener("hashchange", () => {
    if (addressed()) select(addressed());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((id) => redraw(id)));
  window.addEventListener("beforeprint", () => figures.forEach((node) => appear(node.id)));

  selected = addressed() || selected;
  fillPanel(selected);
  // plotly.js comes last: it takes most of the time, and all but the figures is there without it
  document.addEventListener("DOMContentLoaded", () => figures.forEach((node) => coming.observe(node)));
})();
