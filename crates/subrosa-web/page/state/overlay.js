// @ts-check
// What lies over the page: one dialog at a time, and short notes that go by themselves.

import { Cell } from "./cell.js";

/**
 * @typedef {{kind: "switcher"} | {kind: "shortcuts"} | {kind: "new-chat"} | {kind: "new-group"} |
 *   {kind: "verify", name: string} | {kind: "add-members", group: string} | {kind: "rename-group", group: string} |
 *   {kind: "confirm", title: string, text: any, act: string, danger?: boolean, run: () => Promise<unknown>}} Dialog
 */

export const dialog = new Cell(/** @type {Dialog | null} */ (null));

/** @param {Dialog} next */
export function show(next) {
  dialog.set(next);
}

export function closeDialog() {
  dialog.set(null);
}

/** @typedef {{id: number, text: string, tone: "plain" | "good" | "bad"}} Note */

export const notes = new Cell(/** @type {Note[]} */ ([]));
let nextNote = 1;

/**
 * Shows a note; those that tell of trouble stay longer.
 * @param {string} text
 * @param {Note["tone"]} [tone]
 */
export function note(text, tone = "plain") {
  const id = nextNote;
  nextNote += 1;
  notes.update((before) => [...before.slice(-3), { id, text, tone }]);
  setTimeout(() => dropNote(id), tone === "bad" ? 20_000 : 10_000);
}

/** @param {number} id */
export function dropNote(id) {
  notes.update((before) => before.filter((one) => one.id !== id));
}
