// @ts-check
// Templates: `html` makes Preact nodes. Everything that is put into a template becomes a text node or an attribute's
// value, never markup.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);

/**
 * The direction of a field: that of its text, and of the page as long as it is empty.
 * @param {string} text
 */
export function dirOf(text) {
  return text === "" ? undefined : "auto";
}

/**
 * Class names: those that hold.
 * @param {...(string | false | null | undefined)} names
 */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}
