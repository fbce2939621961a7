// @ts-check
// Text of others, made safe to read. The page shows it in text nodes only, so it cannot become markup; what is left is
// text that reads as something else. The rules are those of `subrosa_types::text`:
//
// 1. Control characters are shown as control pictures, or as U+FFFD where there is none.
// 2. Characters that change the direction of text are shown as U+FFFD. (The page isolates each text by itself.)
// 3. Invisible characters are left out, but for the joiners that Persian, Indic scripts and emoji need.
// 4. At most eight combining marks stay on one character.

const CONTROL = /[\u0000-\u0008\u000b-\u001f]/g;
const FORBIDDEN = /[\u0080-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\uffff\ufffe]/g;
const INVISIBLE =
  /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb]|\ud82f[\udca0-\udca3]|\ud834[\udd73-\udd7a]|\udb40[\udc00-\udfff]|\udb41[\udc00-\udfff]|\udb42[\udc00-\udfff]|\udb43[\udc00-\udfff]/g;
const JOINERS = /([\0-\u007f]|^)[\u200c\u200d]+|([\u200c\u200d])[\u200c\u200d]+/g;
const MARKS = /(\p{M}{8})\p{M}+/gu;
const PLAIN = /^[\n -~]*$/;

/**
 * The text with lines kept.
 * @param {string} text
 * @returns {string}
 */
export function lines(text) {
  if (PLAIN.test(text)) return text;
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, "\n")
    .replace(CONTROL, (c) => (c === "\t" ? "    " : String.fromCharCode(0x2400 + c.charCodeAt(0))))
    .replace(/\u007f/g, "␡")
    .replace(FORBIDDEN, "\ufffd")
    .replace(INVISIBLE, "")
    .replace(JOINERS, (_, before, joiner) => before ?? joiner)
    .replace(MARKS, "$1");
}

/**
 * The text on one line.
 * @param {string} text
 * @returns {string}
 */
export function line(text) {
  return lines(text).replace(/\n/g, " ↵ ");
}

/**
 * The pieces of a text: plain ones, and web addresses that can be followed.
 * @param {string} text made safe already
 * @returns {{text: string, href?: string}[]}
 */
export function pieces(text) {
  /** @type {{text: string, href?: string}[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"'`\ufffd]+/g)) {
    const shown = trimmed(match[0]);
    const href = address(shown);
    if (href === null) continue;
    const start = match.index ?? 0;
    if (start > end) found.push({ text: text.slice(end, start) });
    found.push({ text: shown, href });
    end = start + shown.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/**
 * Without the punctuation that belongs to the sentence around the address.
 * @param {string} text
 */
function trimmed(text) {
  let shown = text.replace(/[.,;:!?…»]+$/u, "");
  while (shown.endsWith(")") && shown.split(")").length > shown.split("(").length) shown = shown.slice(0, -1);
  return shown;
}

/**
 * The address in the form in which names that look alike differ; `null` if it is none.
 * @param {string} text
 */
function address(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
