"use strict";
// The page is complete without this. It makes tables sortable, lets the legend
// single out a group's curves, and opens what is folded before printing.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column];
    const number = parseFloat(cell.dataset.value ?? cell.textContent.replaceAll(",", ""));
    return cell.classList.contains("n") && !isNaN(number) ? number : cell.textContent.trim();
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("fixed" in head.dataset) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const down = head.ariaSort ? head.ariaSort === "ascending" : numeric;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map(row => [value(row, column), row]);
      rows.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))) * (down ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
for (const curves of document.querySelectorAll(".curves")) {
  let pinned = null;
  const single = group => {
    for (const item of curves.querySelectorAll("[data-group]")) {
      item.classList.toggle("faded", group !== null && item.dataset.group !== group);
      item.classList.toggle("single", group !== null && item.dataset.group === group);
    }
  };
  for (const item of curves.querySelectorAll("[data-group]")) {
    item.addEventListener("mouseenter", () => single(item.dataset.group));
    item.addEventListener("mouseleave", () => single(pinned));
    if (!item.closest(".legend")) continue;
    const pin = () => { pinned = pinned === item.dataset.group ? null : item.dataset.group; single(pinned); };
    item.addEventListener("click", pin);
    item.addEventListener("keydown", event => { if (event.key === "Enter") pin(); });
  }
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details.more:not([open])")];
  for (const d of opened) d.open = true;
});
addEventListener("afterprint", () => { for (const d of opened) d.open = false; });
