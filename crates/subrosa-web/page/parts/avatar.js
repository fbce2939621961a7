// @ts-check
// A seal for a person or group: the first letter on a colour that stays with the name.

import { html } from "./html.js";
import { Icon } from "./icons.js";
import { line } from "./safe.js";

const COLOURS = 8;

/**
 * The colour of a name, 0 to 7.
 * @param {string} name
 */
export function colourOf(name) {
  let sum = 0x811c9dc5;
  for (const c of name.replace(/^[@#]/, "")) sum = Math.imul(sum ^ (c.codePointAt(0) ?? 0), 0x01000193);
  return ((sum ^ (sum >>> 15)) >>> 0) % COLOURS;
}

/** @param {string} name */
function letter(name) {
  const first = [...line(name)].find((c) => /[\p{L}\p{N}]/u.test(c));
  return (first ?? "·").toUpperCase();
}

/** @param {{name: string, kind?: "person" | "group" | "room" | "link", size?: string}} props */
export function Avatar({ name, kind = "person", size = "" }) {
  const bare = name.replace(/^[@#]/, "");
  const sign = kind === "room" ? "room" : kind === "link" ? "link" : null;
  return html`<span class=${`avatar ${kind} colour-${colourOf(name)} ${size}`} aria-hidden="true">
    ${sign ? html`<${Icon} name=${sign} />` : letter(bare)}
  </span>`;
}
