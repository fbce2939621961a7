// @ts-check
// The members of each group that is looked at.

import { Cell } from "./cell.js";
import { sentence } from "../rpc.js";
import { moveKept, onRenamed } from "./chats.js";
import { call } from "./wire.js";

/** @typedef {{rows: import("../api.js").MemberRow[] | null, failed: string}} Members */

/** @type {Map<string, Cell<Members>>} */
const known = new Map();

onRenamed((renamed) => moveKept(known, renamed));

/** @param {string} target */
export function membersOf(target) {
  const found = known.get(target);
  if (found) return found;
  const cell = new Cell(/** @type {Members} */ ({ rows: null, failed: "" }));
  known.set(target, cell);
  if (target.startsWith("#")) void readMembers(target);
  return cell;
}

/** @param {string} target */
export async function readMembers(target) {
  const cell = membersOf(target);
  try {
    cell.set({ rows: await call("group_members", { group: target }), failed: "" });
  } catch (error) {
    cell.set({ rows: cell.value.rows, failed: sentence(error) });
  }
}

/** After somebody came or went: what was read is read again. */
export function readKnownMembers() {
  for (const [target, cell] of known) if (cell.value.rows || cell.value.failed) void readMembers(target);
}
