// @ts-check
// What the middle of the page shows. It is in the address behind `#/`, so that the browser's way back works.

import { Cell } from "./cell.js";

/**
 * @typedef {{page: "home"} | {page: "chat", chat: string} | {page: "people", part: string} |
 *   {page: "settings", part: string} | {page: "rooms"} | {page: "room", talk: string} | {page: "links"} |
 *   {page: "link", talk: string} | {page: "search"} | {page: "requests"}} Route
 */

export const route = new Cell(/** @type {Route} */ (read()));

/** Whether the right column is wanted, where there is room for it. */
export const details = new Cell(false);

addEventListener("hashchange", () => route.set(read()));

/** @param {Route} next */
export function go(next) {
  const hash = write(next);
  if (location.hash === hash) return;
  location.hash = hash;
  route.set(next);
}

/**
 * Without a step in the browser's history.
 * @param {Route} next
 */
export function goInstead(next) {
  history.replaceState(null, "", write(next));
  route.set(next);
}

/** @returns {Route} */
function read() {
  const [page, rest] = location.hash.replace(/^#\//, "").split("/");
  const word = decode(rest ?? "");
  switch (page) {
    case "chat":
      return word ? { page, chat: word } : { page: "home" };
    case "people":
    case "settings":
      return { page, part: word };
    case "room":
    case "link":
      return { page, talk: word };
    case "rooms":
    case "links":
    case "search":
    case "requests":
      return { page };
    default:
      return { page: "home" };
  }
}

/** @param {Route} to */
function write(to) {
  switch (to.page) {
    case "home":
      return "#/";
    case "chat":
      return `#/chat/${encodeURIComponent(to.chat)}`;
    case "people":
    case "settings":
      return to.part ? `#/${to.page}/${encodeURIComponent(to.part)}` : `#/${to.page}`;
    case "room":
    case "link":
      return `#/${to.page}/${encodeURIComponent(to.talk)}`;
    default:
      return `#/${to.page}`;
  }
}

/** @param {string} word */
function decode(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return "";
  }
}
