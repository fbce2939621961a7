// @ts-check
// A long list of rows of different heights, of which only those near the screen are in the document.
//
// Heights are measured once a row was drawn and estimated before. Invariant: what the reader looks at does not move when
// rows above it come, go or turn out to be of another height: either the list sticks to its end, or one row on the
// screen (the anchor) keeps its distance from the top. A list that does not fill the screen stands at its foot.

import { Component, createRef } from "../vendor/preact.js";
import { html } from "./html.js";

const BEYOND = 600;
const NEAR = 900;
const END = 24;
const ROUNDS = 4;

/**
 * @typedef {{key: string}} Item
 * @typedef {{
 *   items: Item[],
 *   draw: (item: any, index: number) => any,
 *   estimate: (item: any) => number,
 *   label: string,
 *   jump: {to: "end" | "key", key: string, mark: unknown} | null,
 *   onNear?: (side: "start" | "end") => void,
 *   onShown?: (first: number, last: number, atEnd: boolean) => void,
 * }} Props
 */

/** @extends {Component<Props, {}>} */
export class VirtualList extends Component {
  scroller = /** @type {import("../vendor/preact.js").Ref<HTMLDivElement>} */ (createRef());
  list = /** @type {import("../vendor/preact.js").Ref<HTMLOListElement>} */ (createRef());
  /** @type {Map<string, number>} */
  heights = new Map();
  /** @type {number[]} Where each row begins; one more than there are rows. */
  offsets = [0];
  stuck = true;
  /** @type {{key: string, distance: number} | null} */
  anchor = null;
  first = 0;
  last = 0;
  width = 0;
  view = 0;
  top = 0;
  wanted = 0;
  rounds = 0;
  /** @type {unknown} */
  jumped = undefined;
  /** @type {ResizeObserver | null} */
  watcher = null;

  componentDidMount() {
    const { current } = this.scroller;
    if (!current) return;
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(current);
    this.view = current.clientHeight;
    this.width = current.clientWidth;
    this.settle();
  }

  componentDidUpdate() {
    this.settle();
  }

  componentWillUnmount() {
    this.watcher?.disconnect();
  }

  resized() {
    const { current } = this.scroller;
    if (!current) return;
    if (current.clientWidth !== this.width) this.heights.clear();
    this.view = current.clientHeight;
    this.width = current.clientWidth;
    this.rounds = 0;
    this.forceUpdate();
  }

  measure() {
    let changed = false;
    for (const element of this.list.current?.children ?? []) {
      const key = /** @type {HTMLElement} */ (element).dataset.key ?? "";
      const height = element.getBoundingClientRect().height;
      if (Math.abs((this.heights.get(key) ?? -1) - height) > 0.5) {
        this.heights.set(key, height);
        changed = true;
      }
    }
    return changed;
  }

  place() {
    const { items, estimate } = this.props;
    const offsets = new Array(items.length + 1);
    offsets[0] = 0;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      offsets[index + 1] = offsets[index] + (this.heights.get(item.key) ?? estimate(item));
    }
    this.offsets = offsets;
  }

  /**
   * The row at this height.
   * @param {number} y
   */
  at(y) {
    let low = 0;
    let high = Math.max(0, this.offsets.length - 2);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offsets[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  total() {
    return this.offsets[this.offsets.length - 1];
  }

  /** Where the top of the screen should be. */
  goal() {
    const { items, jump } = this.props;
    if (jump && jump.mark !== this.jumped && items.length > 0) {
      this.jumped = jump.mark;
      this.rounds = 0;
      this.stuck = jump.to === "end";
      this.anchor = jump.to === "key" ? { key: jump.key, distance: Math.min(140, this.view / 3) } : null;
    }
    const lowest = Math.max(0, this.total() - this.view);
    if (this.stuck) return lowest;
    if (this.anchor) {
      const { key, distance } = this.anchor;
      const index = items.findIndex((item) => item.key === key);
      if (index >= 0) return Math.max(0, Math.min(this.offsets[index] - distance, lowest));
    }
    return Math.min(this.top, lowest);
  }

  /** After drawing: measure, keep the reader's place, and draw again if other rows are near the screen now. */
  settle() {
    const { current } = this.scroller;
    if (!current) return;
    const grew = this.measure();
    this.place();
    const top = this.goal();
    if (this.inner.current) this.inner.current.style.height = `${Math.max(this.total(), this.view)}px`;
    if (Math.abs(current.scrollTop - top) > 0.5) {
      current.scrollTop = top;
      this.wanted = current.scrollTop;
    }
    this.top = current.scrollTop;
    const [first, last] = this.range();
    const others = first !== this.first || last !== this.last;
    if ((others || grew) && this.rounds < ROUNDS) {
      this.rounds += 1;
      this.forceUpdate();
      return;
    }
    this.rounds = 0;
    this.tell();
  }

  inner = /** @type {import("../vendor/preact.js").Ref<HTMLDivElement>} */ (createRef());

  /** @returns {[number, number]} */
  range() {
    const count = this.props.items.length;
    if (count === 0) return [0, 0];
    return [this.at(this.top - BEYOND), Math.min(count, this.at(this.top + this.view + BEYOND) + 1)];
  }

  /**
   * A row may unfold: its place stays, and what is below moves.
   * @param {MouseEvent} event
   */
  clicked(event) {
    const row = /** @type {Element} */ (event.target).closest("li");
    const key = row?.dataset.key;
    const index = this.props.items.findIndex((item) => item.key === key);
    if (index < 0 || key === undefined) return;
    requestAnimationFrame(() => {
      if (Math.abs((row?.getBoundingClientRect().height ?? 0) - (this.heights.get(key) ?? 0)) < 1) return;
      this.stuck = false;
      this.anchor = { key, distance: this.offsets[index] - this.top };
      this.forceUpdate();
    });
  }

  tell() {
    const { items, onNear, onShown } = this.props;
    if (items.length === 0 || this.view === 0) return;
    const below = this.total() - this.top - this.view;
    onShown?.(this.at(this.top), this.at(this.top + this.view - 1), below < END);
    if (this.top < NEAR) onNear?.("start");
    if (below < NEAR) onNear?.("end");
  }

  scrolled() {
    const { current } = this.scroller;
    if (!current) return;
    this.top = current.scrollTop;
    if (Math.abs(this.top - this.wanted) < 1) return;
    this.wanted = -1;
    this.stuck = this.total() - this.top - this.view < END;
    const index = this.at(this.top);
    const item = this.props.items[index];
    this.anchor = item && !this.stuck ? { key: item.key, distance: this.offsets[index] - this.top } : null;
    const [first, last] = this.range();
    if (first !== this.first || last !== this.last) this.forceUpdate();
    else this.tell();
  }

  render() {
    const { items, draw, label } = this.props;
    this.place();
    this.top = this.goal();
    const [first, last] = this.view === 0 ? [Math.max(0, items.length - 20), items.length] : this.range();
    this.first = first;
    this.last = last;
    const rows = [];
    for (let index = first; index < last; index += 1) rows.push(draw(items[index], index));
    return html`<div class="scroller" ref=${this.scroller} onScroll=${() => this.scrolled()} tabindex="0" role="region" aria-label=${label}>
      <div class="scroll-height" ref=${this.inner}>
        <ol class="rows" ref=${this.list} onClick=${(/** @type {MouseEvent} */ event) => this.clicked(event)} style=${{ transform: `translateY(${(this.offsets[first] ?? 0) + Math.max(0, this.view - this.total())}px)` }}>${rows}</ol>
      </div>
    </div>`;
  }
}
