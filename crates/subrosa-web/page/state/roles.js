// @ts-check
// What a role may, in words for people. The server decides and each client checks again (`subrosa_types::role`); this
// copy of the table only explains, before somebody tries in vain.

/** @typedef {import("../api.js").Role} Role */
/** @typedef {"add_admin" | "add_advanced" | "change_members" | "create_group" | "private_message" | "read_audit" | "invite"} Ability */

/**
 * Lowest first: the order is the rank.
 * @type {Role[]}
 */
export const ROLES = ["beginner", "advanced", "admin", "super-admin"];

/** @type {Record<Ability, Role>} The lowest role that may. */
const NEEDS = {
  private_message: "beginner",
  create_group: "advanced",
  change_members: "advanced",
  add_advanced: "admin",
  invite: "admin",
  read_audit: "admin",
  add_admin: "super-admin",
};

export const ABILITIES = /** @type {Ability[]} */ (Object.keys(NEEDS));

/**
 * @param {Role} role
 * @param {Ability} ability
 */
export function may(role, ability) {
  return ROLES.indexOf(role) >= ROLES.indexOf(NEEDS[ability]);
}

/**
 * Which roles somebody may give to somebody else; a hand-over of the highest role is another act.
 * @param {Role} actor
 * @param {Role} target
 * @returns {Role[]}
 */
export function gives(actor, target) {
  if (!may(actor, "add_advanced") || ROLES.indexOf(target) >= ROLES.indexOf(actor)) return [];
  return ROLES.filter((role) => role !== "super-admin" && role !== target && (role !== "admin" || may(actor, "add_admin")));
}
