// @ts-check
// What the reader prefers; kept by the client in its encrypted store and shared by all faces.

import { language, preferred } from "../strings/index.js";
import { Cell } from "./cell.js";
import { call } from "./wire.js";

export const settings = new Cell(/** @type {Record<string, string>} */ ({}));

export async function readSettings() {
  settings.set(await call("settings", {}));
  apply();
}

/**
 * @param {string} name
 * @param {string} value
 */
export async function set(name, value) {
  await call("set_setting", { name, value });
  settings.update((before) => ({ ...before, [name]: value }));
  apply();
}

/** Language and colours, before there is a profile that could keep them. */
export function tryOut(/** @type {string} */ name, /** @type {string} */ value) {
  settings.update((before) => ({ ...before, [name]: value }));
  apply();
}

/** Puts language and colours on the page. */
export function apply() {
  const wanted = settings.value.language ?? "auto";
  language.set(wanted === "en" || wanted === "fa" ? wanted : preferred());
  const theme = settings.value.theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
