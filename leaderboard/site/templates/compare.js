"use strict";
// The compare page: the user chooses two rows; the script loads their comparison and shows it.
// The numbers are those of `dabs compare --format json`; all that is computed here is a pair with its sides swapped.
(() => {
  const { facts, makeSortable } = window.dabs; // facts: compare-facts.js
  const received = {}; // "pairs/shed" -> the value in that file
  window.dabs.take = (kind, slug, value) => { received[`${kind}/${slug}`] = value; };
  const loading = {};
  const load = (kind, slug) => (loading[`${kind}/${slug}`] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script"); // a page opened from disk may load scripts, not JSON
    script.src = `data/${slug}/${kind}.js`;
    script.onload = () => resolve(received[`${kind}/${slug}`]);
    script.onerror = () => reject(new Error(`cannot read ${script.src}`));
    document.head.append(script);
  }));

  const svgTags = new Set(["svg", "path"]);
  const make = (tag, attributes = {}, ...children) => {
    const element = svgTags.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  // ---- a pair with its sides swapped
  const mirrored = (estimate, around = 0) => estimate && {
    ...estimate,
    value: 2 * around - estimate.value,
    low: estimate.high === null ? null : 2 * around - estimate.high,
    high: estimate.low === null ? null : 2 * around - estimate.low,
  };
  const otherVerdict = { win: "loss", tie: "tie", loss: "win" };
  const swappedTask = (task) => ({
    ...task, a: task.b, b: task.a, scores_a: task.scores_b, scores_b: task.scores_a, seeds_a: task.seeds_b, seeds_b: task.seeds_a,
    difference: mirrored(task.difference), verdict: otherVerdict[task.verdict],
    mcnemar: task.mcnemar.map((m) => ({ ...m, only_a: m.only_b, only_b: m.only_a })),
  });
  const swappedMean = (mean) => ({
    ...mean, a: mean.b, b: mean.a, wins: mean.losses, losses: mean.wins, iqm_a: mean.iqm_b, iqm_b: mean.iqm_a,
    difference: mirrored(mean.difference), over_tasks: mirrored(mean.over_tasks),
    improvement: mirrored(mean.improvement, 0.5), iqm_difference: mirrored(mean.iqm_difference),
  });
  const swapped = (pair) => ({
    a: pair.b, b: pair.a, tasks: pair.tasks.map(swappedTask), domains: pair.domains.map(swappedMean), overall: swappedMean(pair.overall),
  });

  // ---- two rows that are not tested: their scores and differences
  const plainDifference = (a, b) => (a === null || b === null ? null : { value: a - b, low: null, high: null, p: null });
  const plainMean = (scope, a, b) => ({ scope, a, b, difference: plainDifference(a, b), over_tasks: null, improvement: null, iqm_difference: null });
  const plain = (a, b) => ({
    a: a.name, b: b.name,
    overall: plainMean("all domains", a.overall, b.overall),
    domains: Object.keys(a.domains).map((name) => plainMean(name, a.domains[name], b.domains[name])),
    tasks: a.tasks.map((task, i) => ({ ...task, a: task.score, b: b.tasks[i].score }))
      .filter((task) => task.a !== null && task.b !== null)
      .map((task) => ({ ...task, difference: plainDifference(task.a, task.b), p_holm: null, verdict: null, test: "" })),
  });

  const pairOf = async (a, b, protocol) => {
    const { contestants } = facts[protocol];
    const [i, j] = [contestants.indexOf(a), contestants.indexOf(b)];
    if (i < 0 || j < 0) {
      const [rowA, rowB] = await Promise.all([load("row", a), load("row", b)]);
      const pair = rowA[protocol] && rowB[protocol] ? plain(rowA[protocol], rowB[protocol]) : null;
      return pair && pair.tasks.length ? pair : null;
    }
    const pair = (await load("pairs", i < j ? a : b))[protocol][i < j ? b : a];
    return i < j ? pair : swapped(pair);
  };

  // ---- how values are shown
  const points = (value) => (value === null ? "–" : (100 * value).toFixed(1).replace("-0.0", "0.0").replace("-", "−"));
  const signed = (value) => (value > 0 && points(value) !== "0.0" ? "+" : "") + points(value);
  const pValue = (value) => (value === null ? "–" : value < 0.001 ? "< 0.001" : value.toFixed(3));
  const number = (value, text, extra = {}, ...more) =>
    make("td", { class: "number", "data-value": value === null ? "" : value, ...extra }, text, ...more);
  const range = (estimate, show = signed) =>
    estimate && estimate.low !== null ? make("small", {}, `${show(estimate.low)} to ${show(estimate.high)}`) : null;
  const difference = (estimate, key) =>
    number(estimate ? estimate.value : null, estimate ? signed(estimate.value) : "–", { "data-key": key }, range(estimate));
  const score = (value, href, key) => number(value, "", { "data-key": key }, value === null ? "–" : make("a", { href }, points(value)));
  const verdicts = { win: "▲ win", tie: "= tie", loss: "▼ loss" };

  const bar = (estimate, most) => {
    const place = (value) => (60 + (54 * value) / most).toFixed(1);
    const svg = make("svg", { viewBox: "0 0 120 14", width: 120, height: 14, "aria-hidden": "true" });
    svg.append(make("path", { class: "zero", d: "M60 0V14" }));
    if (estimate.low !== null) svg.append(make("path", { class: "interval", d: `M${place(estimate.low)} 7H${place(estimate.high)}` }));
    svg.append(make("path", { class: "dot", d: `M${place(estimate.value)} 3.5l3.5 3.5-3.5 3.5-3.5-3.5z` }));
    const { low, high } = estimate;
    const tone = low === null ? "level" : low > 0 ? "ahead" : high < 0 ? "behind" : "level";
    return make("td", { class: `number ${tone}`, "data-value": estimate.value }, svg);
  };

  // ---- tables
  const table = (heading, id, columns, rows) => {
    const head = make("tr", {}, ...columns.map(([words, kind]) => make("th", kind === "text" ? { scope: "col", "data-kind": "text" } : { scope: "col", class: "number" }, words)));
    const made = make("table", { class: "sortable filterable scores" }, make("thead", {}, head), make("tbody", {}, ...rows));
    makeSortable(made);
    return make("section", {}, make("h2", { id }, heading),
      make("div", { class: "scroll fit", tabindex: "0", role: "region", "aria-labelledby": id }, made));
  };
  const meanRow = (mean, hrefA, hrefB) => {
    const key = (name) => `${mean.scope}.${name}`;
    const more = mean.wins === undefined ? [] : [
      difference(mean.over_tasks, key("over_tasks")),
      number(mean.wins, `${mean.wins} / ${mean.ties} / ${mean.losses}`, { "data-key": key("wins"), "data-ties": mean.ties, "data-losses": mean.losses }),
      number(mean.improvement && mean.improvement.value, mean.improvement ? mean.improvement.value.toFixed(2) : "–",
        { "data-key": key("improvement") }, range(mean.improvement, (value) => value.toFixed(2))),
      difference(mean.iqm_difference, key("iqm_difference")),
    ];
    return make("tr", {}, make("th", { scope: "row" }, mean.scope), score(mean.a, hrefA, key("a")), score(mean.b, hrefB, key("b")),
      difference(mean.difference, key("difference")), ...more);
  };
  const taskRow = (task, a, b, protocol, most) => {
    const key = (name) => `${task.domain}/${task.task}.${name}`;
    const href = (slug) => `data/${slug}/${task.domain}.${task.task}.${protocol}.json`;
    const more = task.verdict === null ? [] : [
      number(task.difference.p, pValue(task.difference.p), { "data-key": key("p"), title: task.test }),
      number(task.p_holm, pValue(task.p_holm), { "data-key": key("p_holm") }),
      make("td", { "data-key": key("verdict"), "data-value": task.verdict }, verdicts[task.verdict]),
    ];
    const about = make("small", {}, ` ${task.domain}, ${task.metric}`);
    return make("tr", {}, make("th", { scope: "row" }, make("a", { href: `tasks/${task.domain}.${task.task}.html` }, task.task), about),
      score(task.a, href(a), key("a")), score(task.b, href(b), key("b")),
      difference(task.difference, key("difference")), bar(task.difference, most), ...more);
  };

  // a cell as CSV: its number without rounding, or its text; a quote precedes what a spreadsheet would take for a formula
  const textOf = (cell) => {
    if (cell.dataset.value !== undefined && cell.dataset.ties === undefined) return cell.dataset.value;
    const text = cell.textContent.trim();
    return `"${(/^[=+@-]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  };

  const summarize = (pair, level) => {
    const { difference: all, wins, ties, losses } = pair.overall;
    const name = (text) => make("bdi", {}, text);
    const line = [];
    if (!all) line.push("One of the two lacks a task, so there is no overall mean. ");
    else {
      line.push(name(pair.a), all.value >= 0 ? " is ahead of " : " is behind ", name(pair.b), ` by ${points(Math.abs(all.value))} points over all domains`);
      line.push(all.low === null ? ". " : ` (${level} interval ${signed(all.low)} to ${signed(all.high)}). `);
    }
    if (wins !== undefined) line.push(`Of ${wins + ties + losses} tasks it wins ${wins}, ties ${ties} and loses ${losses}.`);
    return line;
  };

  const draw = (pair, a, b, protocol) => {
    const about = facts[protocol];
    const level = `${100 * about.level} %`;
    const tested = pair.overall.wins !== undefined;
    const ends = pair.tasks.flatMap(({ difference: d }) => [d.value, d.low ?? 0, d.high ?? 0]).map(Math.abs);
    const most = Math.max(...ends, 0.01);
    const [nameA, nameB] = [make("bdi", {}, pair.a), make("bdi", {}, pair.b)].map((name) => () => name.cloneNode(true));
    const extra = tested ? [["Over tasks"], ["Wins / ties / losses"], ["P(improvement)"], ["IQM difference"]] : [];
    const means = table("Means", "means", [["Domain", "text"], [nameA()], [nameB()], ["Difference"], ...extra],
      [pair.overall, ...pair.domains].map((mean) => meanRow(mean, `data/${a}/summary.json`, `data/${b}/summary.json`)));
    const tests = tested ? [["p"], ["p, Holm"], ["Verdict", "text"]] : [];
    const tasks = table("Task by task", "tasks",
      [["Task", "text"], [nameA()], [nameB()], ["Difference"], ["Interval"], ...tests],
      pair.tasks.map((task) => taskRow(task, a, b, protocol, most)));
    const how = [...new Set(pair.tasks.map((task) => task.test))].join("; ");
    const words = tested
      ? `Scores × 100. Under each difference is its ${level} interval; that of “over tasks” covers the choice of tasks instead. Verdicts are at level ${about.alpha}, after Holm’s correction over the tasks. Tests: ${how}.`
      : "Scores × 100. The site tests only its best rows against each other, and not these two. For intervals and p values, run “dabs compare” on them.";
    const rowsOf = (section) => [...section.querySelectorAll("tr")].map((row) => [...row.cells].map(textOf).join(","));
    const csv = new Blob([[...rowsOf(means), "", ...rowsOf(tasks), ""].join("\n")], { type: "text/csv" });
    const json = new Blob([JSON.stringify({ protocol, ...pair }, null, 2)], { type: "application/json" });
    const download = make("a", { class: "button", href: URL.createObjectURL(json), download: `compare.${a}.${b}.${protocol}.json` }, "This comparison as JSON");
    const sheet = make("a", { class: "button", href: URL.createObjectURL(csv), download: `compare.${a}.${b}.${protocol}.csv` }, "Both tables as CSV");
    const notes = make("ul", { class: "plain caption notes" }, ...about.notes.map((note) => make("li", {}, note)));
    const parts = [make("p", { class: "caption" }, words), means, tasks, make("p", { class: "actions" }, sheet, download)];
    return { summary: summarize(pair, level), parts: about.notes.length ? [...parts, notes] : parts };
  };

  // ---- choosing
  document.addEventListener("DOMContentLoaded", () => {
    const [first, second] = [document.getElementById("first"), document.getElementById("second")];
    const result = document.getElementById("result");
    const protocol = () => document.querySelector("#protocols input:checked").value;
    const known = (select, slug) => [...select.options].some((option) => option.value === slug);
    let latest = 0;
    const show = async () => {
      const [a, b, by, mine] = [first.value, second.value, protocol(), ++latest];
      let drawn = { summary: ["Choose two different algorithms."], parts: [] };
      try {
        const pair = a === b ? null : await pairOf(a, b, by);
        if (pair) drawn = draw(pair, a, b, by);
        else if (a !== b) drawn.summary = ["The two have no task in common under this protocol."];
      } catch (error) {
        drawn.summary = [`${error.message}; is the site's folder complete?`];
      }
      if (mine !== latest) return; // another pair was chosen while this one was loading
      document.getElementById("summary").replaceChildren(...drawn.summary);
      result.replaceChildren(...drawn.parts);
      document.getElementById("filter").dispatchEvent(new Event("input"));
      result.dataset.shown = `${a} ${b} ${by}`;
      history.replaceState(null, "", `#a=${a}&b=${b}&protocol=${by}`);
    };
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (known(first, wanted.get("a"))) first.value = wanted.get("a");
    if (known(second, wanted.get("b"))) second.value = wanted.get("b");
    if (first.value === second.value && first.options.length > 1) second.selectedIndex = first.selectedIndex ? 0 : 1;
    const choice = [...document.querySelectorAll("#protocols input")].find((input) => input.value === wanted.get("protocol"));
    if (choice) choice.checked = true;
    document.getElementById("swap").addEventListener("click", () => { [first.value, second.value] = [second.value, first.value]; show(); });
    document.getElementById("chooser").addEventListener("change", show);
    show();
  });
})();
