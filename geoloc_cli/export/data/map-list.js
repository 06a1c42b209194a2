'use strict';

// The list of photographs, a hundred at a time. Arrow keys, Home and End go from row to row; the tabulator leaves it.

const ROWS = 100;

class List {
  // `row(number)` makes what a row holds; `open(number, byKey)` is told which one was taken.
  constructor(element, earlier, later, row, open) {
    Object.assign(this, { element, earlier, later, row, open, numbers: [], page: 0, selected: null });
    earlier.addEventListener('click', () => this.turn(this.page - 1));
    later.addEventListener('click', () => this.turn(this.page + 1));
    element.addEventListener('keydown', (event) => this.key(event));
  }

  show(numbers) {
    this.numbers = numbers;
    this.turn(0);
  }

  // What is shown, as in "1 to 100 of 2500 photographs".
  get said() {
    const [count, first] = [this.numbers.length, this.page * ROWS + 1];
    if (count <= ROWS) return `${count} ${count === 1 ? 'photograph' : 'photographs'}`;
    return `${first} to ${Math.min(first + ROWS - 1, count)} of ${count} photographs`;
  }

  turn(page) {
    this.page = page;
    const rows = this.numbers.slice(page * ROWS, (page + 1) * ROWS).map((number) => this.button(number));
    this.element.replaceChildren(...rows.map((button) => made('li', button)));
    this.element.setAttribute('start', page * ROWS + 1);
    this.earlier.disabled = page === 0;
    this.later.disabled = (page + 1) * ROWS >= this.numbers.length;
    this.earlier.parentElement.hidden = this.numbers.length <= ROWS;
    this.mark();
    this.turned();
  }

  // Called after the rows changed; the page says how many there are.
  turned() {}

  button(number) {
    const button = made('button', this.row(number), { type: 'button', 'data-number': number });
    button.addEventListener('click', (event) => this.open(number, event.detail === 0));
    return button;
  }

  get buttons() {
    return [...this.element.querySelectorAll('button')];
  }

  // Marks the row of the photograph whose evidence is shown, on whichever page it is, and returns it.
  select(number) {
    this.selected = number;
    const at = this.numbers.indexOf(number);
    if (at >= 0 && Math.floor(at / ROWS) !== this.page) this.turn(Math.floor(at / ROWS));
    return this.mark();
  }

  mark() {
    let current = null;
    for (const button of this.buttons) {
      const isIt = Number(button.dataset.number) === this.selected;
      if (isIt) current = button;
      if (isIt) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
    this.stop(current || this.buttons[0]);
    return current;
  }

  // The one row at which the tabulator stops.
  stop(button) {
    for (const other of this.buttons) other.tabIndex = other === button ? 0 : -1;
  }

  key(event) {
    const buttons = this.buttons;
    const at = buttons.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const button = buttons[Math.max(0, Math.min(buttons.length - 1, next))];
    this.stop(button);
    button.focus();
  }
}
