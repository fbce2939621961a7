// @ts-check
// The words of the page, in the reader's language. One file a language, the same keys in each.
//
// A text has places like `{name}`. What is put there is isolated, so that a name in another writing direction leaves
// the sentence around it in order. A text with a number is an object of the forms that `Intl.PluralRules` asks for.

import { Cell } from "../state/cell.js";
import { en } from "./en.js";
import { fa } from "./fa.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {Record<string, string | number>} Values */

/** @type {Record<string, Record<Key, any>>} */
const LANGUAGES = { en, fa };
/** @type {Record<string, {locale: string, dir: "ltr" | "rtl"}>} */
const FACTS = { en: { locale: "en-GB", dir: "ltr" }, fa: { locale: "fa-IR", dir: "rtl" } };

/** Which language is shown: `en` or `fa`. */
export const language = new Cell(preferred());

/** The first language of the browser's list that the page speaks. */
export function preferred() {
  for (const wanted of navigator.languages) {
    const code = wanted.slice(0, 2).toLowerCase();
    if (code in LANGUAGES) return code;
  }
  return "en";
}

/** The locale for `Intl`. */
export function locale() {
  return FACTS[language.value].locale;
}

/** The writing direction. */
export function direction() {
  return FACTS[language.value].dir;
}

/**
 * @param {Key} key
 * @param {Values} [values]
 * @returns {string}
 */
export function t(key, values) {
  const text = form(key, values);
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? put(values[name]) : whole));
}

/**
 * The same with nodes in the places, for names that are set off in the text.
 * @param {Key} key
 * @param {Record<string, any>} values
 * @returns {any[]}
 */
export function rich(key, values) {
  return form(key, values)
    .split(/\{(\w+)\}/)
    .map((piece, index) => {
      if (index % 2 === 0) return piece;
      const value = values[piece];
      return typeof value === "number" ? number(value) : value;
    });
}

/**
 * @param {number} value
 * @returns {string}
 */
export function number(value) {
  return new Intl.NumberFormat(locale()).format(value);
}

/** @param {string | number} value */
function put(value) {
  return typeof value === "number" ? number(value) : `\u2068${value}\u2069`;
}

/**
 * @param {Key} key
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
function form(key, values) {
  const entry = LANGUAGES[language.value][key];
  if (typeof entry === "string") return entry;
  const forms = /** @type {Record<string, string>} */ (entry);
  return forms[new Intl.PluralRules(locale()).select(Number(values?.count ?? 0))] ?? forms.other;
}
