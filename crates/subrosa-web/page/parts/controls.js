// @ts-check
// Buttons, fields and small texts that all views share.

import { useEffect, useId, useRef, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { sentence } from "../rpc.js";
import { classes, dirOf, html } from "./html.js";
import { Icon } from "./icons.js";
import { line } from "./safe.js";

/** A button with words. */
export function Button(/** @type {any} */ { children, tone = "plain", icon, busy, class: more, type = "button", ...rest }) {
  return html`<button type=${type} class=${classes("button", tone, more)} aria-busy=${busy ? "true" : undefined}
    disabled=${busy} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </button>`;
}

/** A button with a sign only; its name is read out and shown as a tip. */
export function IconButton(/** @type {any} */ { icon, label, class: more, ...rest }) {
  return html`<button type="button" class=${classes("icon-button", more)} aria-label=${label} title=${label} ...${rest}>
    <${Icon} name=${icon} />
  </button>`;
}

/** A text field with its name, a hint below it, and what is wrong with it. */
export function Field(/** @type {any} */ { label, hint, error, multiline, class: more, onInput, value, input, ...rest }) {
  const id = useId();
  const told = classes(hint && `${id}-hint`, error && `${id}-error`);
  const props = {
    id,
    class: "input",
    value,
    "aria-describedby": told || undefined,
    "aria-invalid": error ? "true" : undefined,
    onInput: (/** @type {any} */ event) => onInput(event.currentTarget.value),
    dir: dirOf(value),
    ref: input,
    ...rest,
  };
  return html`<div class=${classes("field", more)}>
    <label for=${id}>${label}</label>
    ${multiline ? html`<textarea rows="3" ...${props}></textarea>` : html`<input type="text" ...${props} />`}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`} role="alert">${error}</p>`}
  </div>`;
}

/** One of several values. */
export function Choice(/** @type {any} */ { label, hint, value, options, onChange, ...rest }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} class="input" value=${value} aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)} ...${rest}>
      ${options.map((/** @type {[string, string]} */ [key, text]) =>
        html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
    </select>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/** Yes or no. */
export function Tick(/** @type {any} */ { label, hint, checked, onChange, ...rest }) {
  const id = useId();
  return html`<div class="tick">
    <input type="checkbox" id=${id} checked=${checked} aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)} ...${rest} />
    <div><label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}</div>
  </div>`;
}

/** A few values side by side. */
export function Segments(/** @type {any} */ { label, value, options, onChange }) {
  const id = useId();
  return html`<fieldset class="segments">
    <legend>${label}</legend>
    <div>
      ${options.map(
        (/** @type {[string, string]} */ [key, text]) => html`<label key=${key}>
          <input type="radio" name=${id} value=${key} checked=${key === value} onChange=${() => onChange(key)} /><span>${text}</span>
        </label>`,
      )}
    </div>
  </fieldset>`;
}

/**
 * What an action that failed says, near what caused it.
 * @param {{text: string}} props
 */
export function Trouble({ text }) {
  if (!text) return null;
  return html`<p class="trouble" role="alert"><${Icon} name="warning" /><span dir="auto">${line(text)}</span></p>`;
}

/** @param {{text: any}} props */
export function Explain({ text }) {
  return html`<p class="explain"><${Icon} name="info" /><span>${text}</span></p>`;
}

/**
 * A name of somebody or something, whatever it is made of.
 * @param {{text: string, class?: string}} props
 */
export function Name({ text, class: more }) {
  return html`<bdi class=${more}>${line(text)}</bdi>`;
}

/** A button that puts a text on the clipboard, and says that it did. */
export function Copy(/** @type {any} */ { text, label }) {
  const [done, setDone] = useState("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => {
        setDone(t("copied"));
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => setDone(""), 2500);
      },
      () => setDone(t("copy_failed")),
    );
  return html`<${Button} icon=${done ? "check" : "copy"} onClick=${copy}><span aria-live="polite">${done || (label ?? t("copy"))}</span><//>`;
}

/**
 * An action with its state: busy while it runs, the sentence if it failed.
 * @returns {{busy: boolean, failed: string, run: (act: () => Promise<unknown>) => Promise<boolean>, clear: () => void}}
 */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const here = useRef(true);
  useEffect(() => () => {
    here.current = false;
  }, []);
  const run = async (/** @type {() => Promise<unknown>} */ act) => {
    setBusy(true);
    setFailed("");
    try {
      await act();
      if (here.current) setBusy(false);
      return true;
    } catch (error) {
      if (here.current) {
        setBusy(false);
        setFailed(sentence(error));
      }
      return false;
    }
  };
  return { busy, failed, run, clear: () => setFailed("") };
}

/**
 * What is read when a view appears, and again when an input changes.
 * @template T
 * @param {() => Promise<T>} read
 * @param {readonly unknown[]} inputs
 * @returns {{value: T | null, failed: string, again: () => void}}
 */
export function useReading(read, inputs) {
  const [value, setValue] = useState(/** @type {T | null} */ (null));
  const [failed, setFailed] = useState("");
  const [count, setCount] = useState(0);
  useEffect(() => {
    let wanted = true;
    read().then(
      (found) => {
        if (!wanted) return;
        setValue(() => found);
        setFailed("");
      },
      (error) => {
        if (wanted) setFailed(sentence(error));
      },
    );
    return () => {
      wanted = false;
    };
  }, [...inputs, count]);
  return { value, failed, again: () => setCount((before) => before + 1) };
}
