// @ts-check
// Who this profile is, how its client stands, and everybody on the server with their roles.

import { Cell } from "./cell.js";
import { call } from "./wire.js";

export const me = new Cell(/** @type {import("../api.js").WhoAmI | null} */ (null));
export const status = new Cell(
  /** @type {import("../api.js").Status} */ ({ enrolled: false, online: true, reason: "", queued: 0, dropped: 0 }),
);
export const people = new Cell(/** @type {import("../api.js").RoleRow[]} */ ([]));

/** Reads who is on the server; what is known stays if it is not reached. */
export function readPeopleQuietly() {
  readPeople().catch(() => undefined);
}

export async function readPeople() {
  people.set(await call("role_list", {}));
}

/** Changes when a key was compared or accepted: what is shown of it is read again. */
export const compared = new Cell(0);

/** The own role; the lowest as long as it is not known. */
export function myRole() {
  return me.value?.role ?? "beginner";
}
