// @ts-check
// Where people write: grows with the text, completes `@name` and `:name:`, Enter sends and Shift+Enter begins a line.
//
// The field keeps the focus while a completion is offered; the chosen one is told to screen readers as the field's
// active descendant.

import { useId, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { Avatar } from "./avatar.js";
import { IconButton, Name, Trouble } from "./controls.js";
import { EmojiPicker } from "./emoji-picker.js";
import { EMOJI, findEmoji } from "./emoji.js";
import { dirOf, html } from "./html.js";
import { Icon } from "./icons.js";

const OFFERED = 7;
const HIGHEST = 220;

/** @typedef {{from: number, to: number, list: {key: string, put: string, sign: any, text: string}[]}} Offer */

/**
 * @param {{
 *   text: string, onText: (text: string) => void, onSend: (text: string) => void, names: string[], label: string,
 *   longest: number, onLeave?: () => void, place: string,
 * }} props
 */
export function Composer({ text, onText, onSend, names, label, longest, onLeave, place }) {
  const id = useId();
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [offer, setOffer] = useState(/** @type {Offer | null} */ (null));
  const [chosen, setChosen] = useState(0);
  const [picking, setPicking] = useState(false);
  const [problem, setProblem] = useState("");

  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${Math.min(HIGHEST, current.scrollHeight)}px`;
  }, [text, place]);
  useLayoutEffect(() => {
    // Not where that would open a keyboard over half of the screen.
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus({ preventScroll: true });
    setOffer(null);
    setPicking(false);
    setProblem("");
  }, [place]);

  const look = () => {
    const { current } = field;
    if (!current) return;
    const next = current.selectionStart === current.selectionEnd ? complete(current.value, current.selectionStart, names) : null;
    setOffer(next);
    setChosen(0);
  };

  const put = (/** @type {number} */ from, /** @type {number} */ to, /** @type {string} */ piece) => {
    const { current } = field;
    if (!current) return;
    current.focus();
    current.setRangeText(piece, from, to, "end");
    onText(current.value);
    setOffer(null);
  };

  const send = () => {
    const whole = field.current?.value ?? "";
    if (whole.trim() === "") return;
    if (new TextEncoder().encode(whole).length > longest) {
      setProblem(t("too_long"));
      return;
    }
    setProblem("");
    setOffer(null);
    onSend(whole);
    field.current?.focus();
  };

  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (offer) {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step !== 0) {
        event.preventDefault();
        setChosen((chosen + step + offer.list.length) % offer.list.length);
        return;
      }
      if (event.key === "Enter" || event.key === "Tab") {
        event.preventDefault();
        put(offer.from, offer.to, offer.list[chosen].put);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        setOffer(null);
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      send();
    }
  };

  return html`<div class="composer">
    <${Trouble} text=${problem} />
    ${offer &&
    html`<ul class="offer" role="listbox" id=${`${id}-offer`} aria-label=${t("completions")}>
      ${offer.list.map(
        (one, index) => html`<li key=${one.key} role="option" id=${`${id}-${index}`} aria-selected=${index === chosen ? "true" : "false"}
          onMouseDown=${(/** @type {globalThis.Event} */ event) => {
            event.preventDefault();
            put(offer.from, offer.to, one.put);
          }}>${one.sign}<${Name} text=${one.text} /></li>`,
      )}
    </ul>`}
    ${picking &&
    html`<${EmojiPicker}
      onClose=${() => {
        setPicking(false);
        field.current?.focus();
      }}
      onPick=${(/** @type {string} */ sign) => {
        setPicking(false);
        const at = field.current?.selectionStart ?? 0;
        put(at, field.current?.selectionEnd ?? at, sign);
      }} />`}
    <div class="composer-row">
      <button type="button" class="icon-button" data-opens-emoji aria-label=${t("emoji_pick")} title=${t("emoji_pick")}
        aria-expanded=${picking ? "true" : "false"} onClick=${() => setPicking(!picking)}><${Icon} name="face" /></button>
      <textarea class="composer-field" rows="1" dir=${dirOf(text)} ref=${field} aria-label=${label} placeholder=${label} value=${text}
        aria-autocomplete="list" aria-controls=${offer ? `${id}-offer` : undefined}
        aria-activedescendant=${offer ? `${id}-${chosen}` : undefined} enterkeyhint="send"
        onInput=${(/** @type {any} */ event) => {
          onText(event.currentTarget.value);
          const whole = named(event.currentTarget.value, event.currentTarget.selectionStart);
          if (whole) put(whole.from, whole.to, whole.sign);
          else look();
        }}
        onKeyDown=${key} onClick=${look} onBlur=${() => {
          setOffer(null);
          onLeave?.();
        }}></textarea>
      <${IconButton} icon="send" label=${t("send")} class="send" onClick=${send} />
    </div>
  </div>`;
}

/**
 * The pictograph whose `:name:` was just written out.
 * @param {string} text
 * @param {number} at
 */
function named(text, at) {
  const found = /(?:^|\s):([a-z0-9_+-]+):$/i.exec(text.slice(0, at));
  const emoji = found && EMOJI.find((one) => one.name === found[1].toLowerCase());
  return emoji ? { from: at - emoji.name.length - 2, to: at, sign: emoji.sign } : null;
}

/**
 * What could be meant by the word before the cursor.
 * @param {string} text
 * @param {number} at
 * @param {string[]} names
 * @returns {Offer | null}
 */
function complete(text, at, names) {
  const before = text.slice(0, at);
  const name = /(?:^|[\s(])@([\p{L}\p{N}_.-]*)$/u.exec(before);
  if (name) {
    const wanted = name[1].toLowerCase();
    const list = names
      .filter((one) => one.toLowerCase().startsWith(wanted) && one !== name[1])
      .slice(0, OFFERED)
      .map((one) => ({ key: one, put: `@${one} `, sign: html`<${Avatar} name=${one} size="tiny" />`, text: `@${one}` }));
    return list.length > 0 ? { from: at - name[1].length - 1, to: at, list } : null;
  }
  const emoji = /(?:^|\s):([a-z0-9_+-]{2,})$/i.exec(before);
  if (emoji) {
    const list = findEmoji(emoji[1], OFFERED).map((one) => ({
      key: one.name,
      put: `${one.sign} `,
      sign: html`<span class="emoji" aria-hidden="true">${one.sign}</span>`,
      text: `:${one.name}:`,
    }));
    return list.length > 0 ? { from: at - emoji[1].length - 1, to: at, list } : null;
  }
  return null;
}
