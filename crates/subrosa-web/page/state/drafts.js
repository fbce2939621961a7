// @ts-check
// What is being written in each chat. The client keeps it, so that it is there after a restart and in other faces.

import { chatOf, moveKept, noteDraft, onRenamed } from "./chats.js";
import { call } from "./wire.js";

/** @type {Map<string, string>} */
const texts = new Map();
/** @type {Map<string, number>} */
const timers = new Map();

const PAUSE = 600;

/** @param {string} target */
export function draftOf(target) {
  return texts.get(target) ?? chatOf(target)?.draft ?? "";
}

/**
 * @param {string} target
 * @param {string} text
 */
export function setDraft(target, text) {
  texts.set(target, text);
  clearTimeout(timers.get(target));
  timers.set(target, window.setTimeout(() => keep(target), PAUSE));
}

/**
 * Keeps at once what is not kept yet.
 * @param {string} target
 */
export function keepDraft(target) {
  if (timers.has(target)) keep(target);
}

addEventListener("pagehide", () => {
  for (const target of [...timers.keys()]) keep(target);
});

onRenamed((renamed) => {
  moveKept(texts, renamed);
  const waiting = [...renamed].filter(([before]) => timers.has(before));
  for (const [before] of waiting) clearTimeout(timers.get(before));
  moveKept(timers, renamed);
  for (const [, now] of waiting) timers.set(now, window.setTimeout(() => keep(now), PAUSE));
});

/** @param {string} target */
function keep(target) {
  clearTimeout(timers.get(target));
  timers.delete(target);
  // A chat that was never begun has no place for a draft at the client; it stays here.
  if (!chatOf(target)) return;
  const text = texts.get(target) ?? "";
  call("set_draft", { chat: target, text }).then(
    () => {
      noteDraft(target, text);
      if (!timers.has(target) && texts.get(target) === text) texts.delete(target);
    },
    // It stays in this page, and is kept with the next change or on leaving the chat.
    () => undefined,
  );
}
