"use strict";
// Colours, the choice of protocol, sorting and filtering. The report holds this file inline, the site's pages load it.
(() => {
  const root = document.documentElement;
  // a page opened from disk may have no storage; then a choice lasts as long as the page
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

  const isNumber = (cell) => cell.classList.contains("number");
  const valueOf = (row, column, isText) => {
    const cell = row.cells[column];
    if (isText) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const sort = (table, header, column) => {
    const isText = header.dataset.kind === "text";
    const before = header.getAttribute("aria-sort");
    const first = isText ? "ascending" : "descending";
    const order = before ? (before === "ascending" ? "descending" : "ascending") : first;
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column, isText), row]);
    rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  const makeSortable = (table) => table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, header, column));
  });

  const textOf = (row) => [...row.cells].filter((cell) => !isNumber(cell)).map((cell) => cell.textContent).join(" ");
  const startFilters = () => document.querySelectorAll(".filter").forEach((box) => {
    const input = box.querySelector("input");
    const apply = () => {
      const rows = [...document.querySelectorAll("table.filterable tbody tr")].map((row) => [textOf(row).toLowerCase(), row]);
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach(([text, row]) => { row.hidden = !words.every((word) => text.includes(word)); });
      const here = rows.filter(([, row]) => !row.closest(".view[hidden]"));
      const left = here.filter(([, row]) => !row.hidden).length;
      box.querySelector("[role=status]").textContent = words.length ? `${left} of ${here.length} rows` : "";
    };
    box.hidden = false;
    input.addEventListener("input", apply);
    document.addEventListener("change", apply); // another protocol shows other rows
    apply(); // a browser that goes back keeps what was typed
  });

  window.dabs = { makeSortable }; // for tables that the compare page makes later
  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    startProtocols();
    document.querySelectorAll("table.sortable").forEach(makeSortable);
    startFilters();
  });
})();
