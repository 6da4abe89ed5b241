// The report's program: tables that sort and filter, copied LaTeX, and the dialog that opens for a number.
import DataTable from "LIBRARY";

const details = JSON.parse(document.getElementById("details").textContent);
const dialog = document.getElementById("cell");

function element(tag, text, attributes = {}) {
  const made = Object.assign(document.createElement(tag), attributes);
  if (text !== null) made.textContent = text;
  return made;
}

function row(tag, texts) {
  const made = element("tr", null);
  made.append(...texts.map((text) => element(tag, text)));
  return made;
}

function copied(button, text) {
  const area = element("textarea", text);  // works without the permission that navigator.clipboard needs
  (dialog.open ? dialog : document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  button.focus();
  document.getElementById("said").textContent = done ? "Copied." : "The browser refused to copy.";
  button.classList.toggle("done", done);
  setTimeout(() => button.classList.remove("done"), 1500);
}

function show(cell) {
  document.getElementById("cell-title").textContent = cell.title;
  document.getElementById("cell-block").textContent = cell.block;
  document.getElementById("cell-facts").replaceChildren(...cell.facts.map((texts) => row("td", texts)));
  const runs = cell.runs.map(([folder, value, code]) => {
    const made = row("td", [null, value, code]);
    const settings = folder.match(/seed\d+$/) ? "/run.yaml" : "/scores/test.json";
    made.cells[0].append(element("a", folder, { href: folder.split("/").map(encodeURIComponent).join("/") + settings }));
    return made;
  });
  document.getElementById("cell-runs").replaceChildren(...runs);
  document.getElementById("cell-command").textContent = cell.command;
  document.getElementById("cell-made").hidden = cell.runs.length === 0;
  dialog.showModal();
}

for (const button of document.querySelectorAll("button[data-copy]"))
  button.addEventListener("click", () => copied(button, document.getElementById(button.dataset.copy).textContent));

for (const cell of document.querySelectorAll("td[data-cell]")) {
  const button = element("button", null, { type: "button", className: "number", title: "Runs, difference and command" });
  button.append(...cell.childNodes);
  button.addEventListener("click", () => show(details[cell.closest("[data-table]").dataset.table][cell.dataset.cell]));
  cell.append(button);
}

document.addEventListener("keydown", (event) => {  // arrow keys go from number to number
  const [rows, columns] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
  const cell = document.activeElement.closest("td[data-cell]");
  if (!cell || (!rows && !columns)) return;
  event.preventDefault();
  const body = cell.closest("tbody");
  const next = body.rows[[...body.rows].indexOf(cell.parentElement) + rows]?.cells[cell.cellIndex + columns];
  next?.querySelector("button")?.focus();
});

dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

for (const table of document.querySelectorAll("[data-table] table, .sortable table"))
  new DataTable(table, {
    autoWidth: false, info: false, order: [], paging: false,
    layout: { topStart: "search", topEnd: null, bottomStart: null, bottomEnd: null },
    language: { search: "Filter rows:", zeroRecords: "No row has this text." },
  });

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
});
document.documentElement.dataset.ready = "yes";
