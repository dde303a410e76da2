// The table of functions: a click on a heading sorts, one on a name finds it in the graph.
(() => {
  const table = document.getElementById("functions");
  if (!table) return;
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];

  function sort(column) {
    const heading = headings[column], down = heading.dataset.order ? heading.dataset.order === "up" :
      body.rows[0].cells[column].dataset.value !== undefined;
    for (const other of headings) delete other.dataset.order;
    heading.dataset.order = down ? "down" : "up";
    const value = row => row.cells[column].dataset.value;
    const compare = (a, b) => value(a) === undefined ?
      a.cells[column].textContent.localeCompare(b.cells[column].textContent) : value(a) - value(b);
    body.append(...[...body.rows].sort((a, b) => down ? compare(b, a) : compare(a, b)));
  }

  headings.forEach((heading, column) => heading.addEventListener("click", () => sort(column)));
  body.addEventListener("click", event => {
    const name = event.target.closest("td.name");
    if (!name || !document.getElementById("graph")) return;
    const pattern = "^" + name.textContent.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
    dispatchEvent(new CustomEvent("find", { detail: pattern }));
    scrollTo({ top: 0, behavior: "smooth" });
  });
})();
