"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const body = find("tbody"), filter = find("#filter"), show = find("#show"), sort = find("#sort");
  const headers = [...document.querySelectorAll("thead th")];
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const names = new Intl.Collator("en", { numeric: true });

  const choose = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      const wanted = !show.value || row.dataset.show === show.value || (show.value === "noted" && "noted" in row.dataset);
      row.hidden = !(wanted && words.every((word) => text.includes(word)));
      shown += !row.hidden;
    }
    const all = rows.length.toLocaleString("en"), noun = rows.length === 1 ? "client" : "clients";
    find("#count").value = shown === rows.length ? `${all} ${noun}` : `${shown.toLocaleString("en")} of ${all} ${noun}`;
    find("#none").hidden = shown > 0;
  };

  const order = (by, descending) => {
    const value = ({ row }) => row.getAttribute(`data-by-${by}`);
    const compare = by === "client" ? () => 0 : (one, other) => Number(value(one)) - Number(value(other));
    const name = (one, other) => names.compare(one.row.dataset.byClient, other.row.dataset.byClient);
    const sign = descending ? -1 : 1;
    rows.sort((one, other) => sign * (compare(one, other) || (by === "client" ? name(one, other) : 0)) || name(one, other));
    body.append(...rows.map(({ row }) => row));
    for (const header of headers) {
      if (header.dataset.by === by) header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    }
    sort.value = by;
  };

  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => {
      order(header.dataset.by, header.getAttribute("aria-sort") === "ascending");
    });
  }
  sort.addEventListener("change", () => order(sort.value, sort.value === "last"));
  filter.addEventListener("input", choose);
  show.addEventListener("change", choose);
  find("#controls").addEventListener("submit", (event) => event.preventDefault());

  const asOf = Date.parse(find("#as-of").dateTime);
  const age = () => {
    const minutes = Math.floor((Date.now() - asOf) / 60000);
    const said = minutes < 120 ? `${minutes} minutes ago` : `${Math.floor(minutes / 60)} hours ago`;
    find("#age").textContent = minutes < 2 ? "" : ` (${said})`;
  };
  age();
  setInterval(age, 30000);
  choose();
})();
