// @ts-check
// The picker: a field to search in, and a grid in which the arrow keys move.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { EMOJI_SETS, findEmoji } from "./emoji.js";
import { dirOf, html } from "./html.js";

const COLUMNS = 8;
const MOST = 400;

/** @param {{onPick: (sign: string) => void, onClose: () => void}} props */
export function EmojiPicker({ onPick, onClose }) {
  const [text, setText] = useState("");
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const found = findEmoji(text, MOST);
  useLayoutEffect(() => field.current?.focus(), []);
  useEffect(() => {
    const press = (/** @type {globalThis.Event} */ event) => {
      const target = /** @type {Element} */ (event.target);
      if (!box.current?.contains(target) && !target.closest("[data-opens-emoji]")) onClose();
    };
    addEventListener("pointerdown", press);
    return () => removeEventListener("pointerdown", press);
  }, [onClose]);

  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
      return;
    }
    const buttons = [.../** @type {HTMLDivElement} */ (box.current).querySelectorAll("button")];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const side = document.documentElement.dir === "rtl" ? -1 : 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: side, ArrowLeft: -side, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };
    const step = steps[event.key];
    if (step === undefined || (at < 0 && event.key !== "ArrowDown")) return;
    event.preventDefault();
    if (at < 0) buttons[0]?.focus();
    else if (at + step < 0) field.current?.focus();
    else buttons[Math.min(buttons.length - 1, at + step)].focus();
  };

  const enter = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && found[0]) {
      event.preventDefault();
      onPick(found[0].sign);
    }
  };

  return html`<div class="emoji-picker" role="dialog" aria-label=${t("emoji_pick")} ref=${box} onKeyDown=${key}>
    <input class="input" type="search" ref=${field} aria-label=${t("emoji_search")} placeholder=${t("emoji_search")} value=${text}
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} onKeyDown=${enter} dir=${dirOf(text)} />
    <div class="emoji-sets">
      ${EMOJI_SETS.map((set) => {
        const here = found.filter((one) => one.set === set);
        return (
          here.length > 0 &&
          html`<div key=${set} class="emoji-set" role="group" aria-label=${t(/** @type {any} */ (`emoji_${set}`))}>
            <p class="emoji-title" aria-hidden="true">${t(/** @type {any} */ (`emoji_${set}`))}</p>
            <div class="emoji-grid">
              ${here.map(
                (one) => html`<button key=${one.name} type="button" lang="en" tabindex="-1" aria-label=${one.name.replace(/_/g, " ")}
                  title=${`:${one.name}:`} onClick=${() => onPick(one.sign)}>${one.sign}</button>`,
              )}
            </div>
          </div>`
        );
      })}
      ${found.length === 0 && html`<p class="quiet">${t("emoji_none")}</p>`}
    </div>
  </div>`;
}
