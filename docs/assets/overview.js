// Sorting and filtering of the table of all algorithms.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector(".gc-all table");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const [search, kind, family] = document.querySelectorAll(".gc-filter input, .gc-filter select");
  const output = document.querySelector(".gc-filter output");
  const texts = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !(words.every(word => texts.get(row).includes(word))
        && (!kind.value || row.dataset.kind === kind.value)
        && (!family.value || row.dataset.family === family.value));
      count += !row.hidden;
    }
    output.textContent = `${count} of ${rows.length}`;
  };
  const key = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    body.append(...[...rows].sort((a, b) => order(key(a, column), key(b, column))));
  }));
  for (const input of [search, kind, family]) input.addEventListener("input", show);
  show();
});
