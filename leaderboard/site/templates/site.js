"use strict";
// Colours, the choice of protocol, sorting and filtering. The report contains this file, the pages of the site load it.
(() => {
  const root = document.documentElement;
  // a page opened from disk may have no storage; then a choice lasts only as long as the page
  const recall = (key) => { try { return localStorage.getItem(`dabs-${key}`); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(`dabs-${key}`, value); } catch { /* not kept */ } };

  const remembered = recall("theme");
  if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered; // before the page is drawn

  const startTheme = () => {
    const button = document.getElementById("theme");
    const prefersDark = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
    const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      keep("theme", root.dataset.theme);
      name();
    });
    prefersDark.addEventListener("change", name);
    name();
  };

  const startProtocols = () => {
    const protocols = document.getElementById("protocols");
    if (!protocols) return;
    const views = [...document.querySelectorAll(".view")];
    const choices = [...protocols.querySelectorAll("input")];
    const choose = (protocol) => views.forEach((view) => { view.hidden = view.dataset.protocol !== protocol; });
    protocols.hidden = choices.length < 2;
    protocols.addEventListener("change", (event) => { choose(event.target.value); keep("protocol", event.target.value); });
    const last = choices.find((choice) => choice.value === recall("protocol"));
    if (last) last.checked = true;
    choose(choices.find((choice) => choice.checked).value);
  };

  // ---- long tables: the page holds the best rows; a script, loaded on demand, holds the rest
  const limitOf = (table) => (table.dataset.shown && table.dataset.whole !== "yes" ? Number(table.dataset.shown) : Infinity);
  const noteOf = (table) => [...document.querySelectorAll("p.more")].find((note) => note.dataset.of === table.dataset.key);
  const addRest = (found) => document.querySelectorAll("table[data-key]").forEach((table) => {
    const rows = document.createElement("template");
    rows.innerHTML = found[table.dataset.key] ?? ""; // made by the page's own templates, every value escaped
    table.tBodies[0].append(rows.content);
  });
  let loading = null;
  const loadRest = () => {
    const source = document.body.dataset.rest;
    if (!source) return Promise.resolve();
    loading ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = resolve;
      script.onerror = () => {
        document.querySelectorAll("p.more > span").forEach((words) => {
          words.textContent = `The other rows cannot be read (${source}); is the site’s folder complete?`;
          words.dataset.lost = "yes";
        });
        resolve();
      };
      document.head.append(script);
    });
    return loading;
  };

  const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("group"));
  const isNumber = (cell) => cell.classList.contains("number");
  const valueOf = (row, column, isText) => {
    const cell = row.cells[column];
    if (isText) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const order = new Intl.Collator().compare; // a tenth of the time of localeCompare
  const compare = (a, b) => (typeof a === "string" ? order(a, b) : a - b);
  const sort = async (table, header, column) => {
    const isText = header.dataset.kind === "text";
    const before = header.getAttribute("aria-sort");
    const first = isText ? "ascending" : "descending";
    const direction = before ? (before === "ascending" ? "descending" : "ascending") : first;
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction);
    if (table.dataset.key) await loadRest();
    const sign = direction === "ascending" ? 1 : -1;
    [...table.tBodies].forEach((body) => { // the reference rows stay apart
      const rows = rowsOf(body).map((row) => [valueOf(row, column, isText), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
    updateRows();
  };
  const makeSortable = (table) => table.querySelectorAll("thead tr:last-child th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    const term = header.querySelector(".term"); // explains the heading, and does not sort
    button.append(...[...header.childNodes].filter((node) => node !== term));
    header.prepend(button);
    button.addEventListener("click", () => sort(table, header, column));
  });

  // ---- which rows are shown: those with every word of the filter; of a long table, the first of these
  const textOf = (row) => [...row.cells].filter((cell) => !isNumber(cell)).map((cell) => cell.textContent).join(" ").toLowerCase();
  const wordsOf = () => (document.querySelector(".filter input")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const updateRows = () => {
    const words = wordsOf();
    let [left, all] = [0, 0];
    document.querySelectorAll("table.filterable").forEach((table) => {
      const fits = (row) => { const text = textOf(row); return words.every((word) => text.includes(word)); };
      const [first, ...others] = [...table.tBodies].map((body) => {
        const rows = rowsOf(body);
        const found = words.length ? rows.filter(fits) : rows;
        if (!table.closest(".view[hidden]")) [left, all] = [left + found.length, all + rows.length];
        return { body, rows, found };
      });
      const { found } = first;
      const shown = new Set(found.slice(0, limitOf(table)));
      first.rows.forEach((row) => { row.hidden = !shown.has(row); });
      others.forEach((other) => {
        other.rows.forEach((row) => { row.hidden = !other.found.includes(row); });
        other.body.hidden = !other.found.length;
      });
      const note = noteOf(table)?.querySelector("span");
      if (note && loading && !note.dataset.lost) note.textContent = `${shown.size.toLocaleString("en")} of ${found.length.toLocaleString("en")} rows are shown.`;
    });
    const status = document.querySelector(".filter [role=status]");
    if (status) status.textContent = words.length ? `${left} of ${all} rows` : "";
  };
  const startFilters = () => document.querySelectorAll(".filter").forEach((box) => {
    const apply = async () => {
      if (wordsOf().length) await loadRest();
      updateRows();
    };
    box.hidden = false;
    box.querySelector("input").addEventListener("input", apply);
    document.addEventListener("change", apply); // each protocol has rows of its own
    apply(); // going back in the browser keeps what was typed
  });
  const startLongTables = () => document.querySelectorAll("table[data-key]").forEach((table) => {
    const button = noteOf(table).querySelector("button");
    const all = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await loadRest();
      table.dataset.whole = table.dataset.whole === "yes" ? "no" : "yes";
      button.setAttribute("aria-expanded", String(table.dataset.whole === "yes"));
      button.textContent = table.dataset.whole === "yes" ? `Show ${table.dataset.shown} rows` : all;
      updateRows();
    });
  });

  window.dabs = { makeSortable, rest: addRest }; // used by compare.js, and by the scripts in rest/
  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    startProtocols();
    document.querySelectorAll("table.sortable").forEach(makeSortable);
    startFilters();
    startLongTables();
  });
})();
