'use strict';

// Sort a table by a column; numbers by what they begin with, '-' last.
const number = cell => parseFloat(cell.textContent.replace(/[,(<]/g, ''));

function sortBy(table, column, down) {
  const rows = [...table.tBodies[0].rows];
  const order = (a, b) => {
    const [x, y] = [a.cells[column], b.cells[column]];
    const [m, n] = [number(x), number(y)];
    if (isNaN(m) && isNaN(n)) return x.textContent.localeCompare(y.textContent);
    if (isNaN(m) || isNaN(n)) return (isNaN(m) - isNaN(n)) * (down ? -1 : 1);
    return m - n;
  };
  rows.sort((a, b) => order(a, b) * (down ? -1 : 1));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll('table.sortable')) {
  const headings = [...table.tHead.rows].at(-1).cells;
  [...headings].forEach((heading, column) => {
    const button = document.createElement('button');
    button.append(...heading.childNodes);
    heading.append(button);
    button.onclick = () => {
      const down = heading.ariaSort !== 'descending' && column > 0;
      for (const other of headings) other.ariaSort = null;
      heading.ariaSort = down ? 'descending' : 'ascending';
      sortBy(table, column, down);
    };
  });
}

// Pictures, enlarged.
const dialog = document.querySelector('dialog');
for (const button of document.querySelectorAll('.open')) {
  button.onclick = () => {
    const card = button.closest('.card');
    dialog.querySelector('img').src = button.querySelector('img').src;
    const words = card.querySelector('figcaption').children;
    dialog.querySelector('p').textContent =
      [...words].map(word => word.textContent).join(': ');
    dialog.showModal();
  };
}
dialog.onclick = () => dialog.close();

// Filters, which are of no use without this script.
for (const section of document.querySelectorAll('.images')) {
  const filters = section.querySelector('.filters');
  if (!filters) continue;
  filters.hidden = false;
  const [select, input] = ['select', 'input'].map(
    kind => filters.querySelector(kind));
  filters.oninput = () => {
    for (const card of section.querySelectorAll('.card')) {
      const classes = JSON.parse(card.dataset.classes);
      const first = Number(card.dataset.first || Infinity);
      const other = select && select.value && !classes.includes(select.value);
      const later = input && input.value && first > Number(input.value);
      card.hidden = other || later;
    }
  };
}
