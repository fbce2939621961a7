// @ts-check
// Dates and times in the reader's zone and language, by `Intl`: Persian ones with Persian digits and calendar.

import { language, locale, t } from "../strings/index.js";

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} name
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(name, options) {
  const key = `${language.value} ${name}`;
  const found = formats.get(key) ?? new Intl.DateTimeFormat(locale(), options);
  formats.set(key, found);
  return found;
}

/**
 * Hours and minutes.
 * @param {number} at
 */
export function clock(at) {
  return format("clock", { hour: "2-digit", minute: "2-digit", hour12: false }).format(at);
}

/**
 * Everything, for a title.
 * @param {number} at
 */
export function moment(at) {
  return format("moment", { dateStyle: "full", timeStyle: "medium", hour12: false }).format(at);
}

/**
 * Date and time in few characters.
 * @param {number} at
 */
export function stamp(at) {
  return format("stamp", { dateStyle: "medium", timeStyle: "short", hour12: false }).format(at);
}

/**
 * A number that is the same for times of one day in the reader's zone.
 * @param {number} at
 */
export function dayOf(at) {
  const date = new Date(at);
  return date.getFullYear() * 10000 + date.getMonth() * 100 + date.getDate();
}

/**
 * A day as people say it.
 * @param {number} at
 */
export function day(at) {
  const now = Date.now();
  if (dayOf(at) === dayOf(now)) return t("today");
  if (dayOf(at) === dayOf(now - 86_400_000)) return t("yesterday");
  const year = new Date(at).getFullYear() === new Date(now).getFullYear();
  return year
    ? format("day", { weekday: "long", day: "numeric", month: "long" }).format(at)
    : format("year", { year: "numeric", day: "numeric", month: "long" }).format(at);
}

/**
 * When the last message came, in a narrow place.
 * @param {number} at
 */
export function recent(at) {
  if (dayOf(at) === dayOf(Date.now())) return clock(at);
  if (Date.now() - at < 6 * 86_400_000) return format("weekday", { weekday: "short" }).format(at);
  return format("short", { day: "numeric", month: "short" }).format(at);
}
