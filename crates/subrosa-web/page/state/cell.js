// @ts-check
// A value that views watch: the one way in which state reaches the screen.
//
// State lives in cells, actions change cells, views read them with `useCell` and never write them. A change that makes
// no difference tells nobody. Drawing is gathered by Preact, so that many changes at once are drawn once.

import { useLayoutEffect, useState } from "../vendor/hooks.js";

/** @template T */
export class Cell {
  /** @param {T} value */
  constructor(value) {
    /** @private */
    this.now = value;
    /**
     * @private
     * @type {Set<() => void>}
     */
    this.watchers = new Set();
  }

  /** @returns {T} */
  get value() {
    return this.now;
  }

  /** @param {T} value */
  set(value) {
    if (Object.is(value, this.now)) return;
    this.now = value;
    for (const watcher of [...this.watchers]) watcher();
  }

  /** @param {(before: T) => T} change */
  update(change) {
    this.set(change(this.now));
  }

  /**
   * @param {() => void} watcher
   * @returns {() => void} ends it
   */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
    };
  }
}

/**
 * The cell's value; the view is drawn again when it changes.
 * @template T
 * @param {Cell<T>} cell
 * @returns {T}
 */
export function useCell(cell) {
  const [, redraw] = useState(0);
  const seen = cell.value;
  useLayoutEffect(() => {
    const watch = cell.watch(() => redraw((count) => count + 1));
    // It may have changed between drawing and here.
    if (!Object.is(cell.value, seen)) redraw((count) => count + 1);
    return watch;
  }, [cell]);
  return cell.value;
}
