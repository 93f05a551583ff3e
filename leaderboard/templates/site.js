"use strict";
(() => {
  const root = document.documentElement;

  const theme = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  prefersDark.addEventListener("change", nameTheme);
  nameTheme();

  const views = [...document.querySelectorAll(".view")];
  const choose = (protocol) => views.forEach((view) => { view.hidden = view.dataset.protocol !== protocol; });
  const protocols = document.getElementById("protocols");
  protocols.hidden = views.length < 2;
  protocols.addEventListener("change", (event) => choose(event.target.value));
  choose(protocols.querySelector("input:checked").value);

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
  document.querySelectorAll("table.sortable").forEach((table) => {
    table.querySelectorAll("thead th").forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, header, column));
    });
  });
})();
